import fc from 'fast-check';
import { DiskBudgetExceededError } from '../../src/errors/result-errors.ts';
import { ByteBudget } from '../../src/partitions/byte-budget.ts';
import { type DiskOverflow, DiskRoom } from '../../src/partitions/retained/disk-room.ts';
import { VirtualClock } from '../../src/testing/index.ts';
import { thrownBy } from '../support/thrown-by.ts';

const edge = 'the reliable edge p → c';
const timeoutMs = 1_000;

function roomOf(overflow: DiskOverflow, { totalBytes = 100, whole = Number.POSITIVE_INFINITY } = {}) {
  const clock = new VirtualClock();
  const run = new ByteBudget(whole);
  const budget = new ByteBudget(totalBytes, run, edge);
  const asked: [bytes: number, budget: ByteBudget][] = [];
  const heard: (Error | undefined)[] = [];
  /** Bytes that `reclaim` frees. */
  let releasable = 0;
  const reclaim = (bytes: number, of: ByteBudget): void => {
    asked.push([bytes, of]);
    budget.release(releasable);
    releasable = 0;
  };
  const room = new DiskRoom({ budget, overflow, reclaim, clock, timeoutMs }, (failure) => heard.push(failure));
  return {
    room,
    run,
    budget,
    clock,
    asked,
    heard,
    /** Others hold this many bytes, which may be reclaimable. */
    othersTake: (bytes: number) => {
      budget.reserve(bytes);
      releasable = bytes;
    },
  };
}

describe('DiskRoom', () => {
  /** With 100 bytes of disk, 60 held by others (reclaimable or not), and 50 to be written. */
  const policies: [DiskOverflow, boolean, { refused: boolean; asked: number; isFull: boolean; reserved: number }][] = [
    ['back-pressure', false, { refused: false, asked: 0, isFull: true, reserved: 110 }],
    ['back-pressure', true, { refused: false, asked: 0, isFull: true, reserved: 110 }],
    ['drop-releasable', false, { refused: true, asked: 1, isFull: false, reserved: 60 }],
    ['drop-releasable', true, { refused: false, asked: 1, isFull: false, reserved: 50 }],
    ['fail', false, { refused: true, asked: 0, isFull: false, reserved: 60 }],
    ['fail', true, { refused: true, asked: 0, isFull: false, reserved: 60 }],
  ];

  it.each(policies)('%s, with 60 bytes of other results (reclaimable: %s): %j', (overflow, isReleasable, expected) => {
    const { room, budget, asked, othersTake } = roomOf(overflow);
    if (isReleasable) othersTake(60);
    else budget.reserve(60);
    const failure = thrownBy(() => room.take(50));
    expect({
      refused: failure instanceof DiskBudgetExceededError,
      asked: asked.length,
      isFull: room.isFull,
      reserved: budget.reservedBytes,
    }).toEqual(expected);
    expect(room.usedBytes).toBe(expected.refused ? 0 : 50);
    room.close();
  });

  it.each<DiskOverflow>(['back-pressure', 'drop-releasable', 'fail'])(
    '%s: grants the last byte without a wait or a reclaim',
    (overflow) => {
      const { room, budget, asked } = roomOf(overflow);
      room.take(60);
      room.take(40);
      expect([room.usedBytes, budget.reservedBytes, room.isFull, asked]).toEqual([100, 100, false, []]);
    },
  );

  it('without a budget has the whole disk', () => {
    const room = new DiskRoom(undefined, () => {});
    room.take(Number.MAX_SAFE_INTEGER);
    expect([room.usedBytes, room.isFull]).toEqual([Number.MAX_SAFE_INTEGER, false]);
    room.close();
    expect(room.usedBytes).toBe(0);
  });

  it('drop-releasable: reclaims as many bytes as it needs, from the budget that lacks them', () => {
    const { room, budget, asked, othersTake } = roomOf('drop-releasable');
    othersTake(90);
    room.take(11);
    expect(asked).toStrictEqual([[11, budget]]);
  });

  it.each<[DiskOverflow, RegExp]>([
    ['fail', /hold 90 of 100 bytes of disk: 11 more bytes do not fit\. Raise/],
    [
      'drop-releasable',
      /hold 90 of 100 bytes of disk: 11 more bytes do not fit, and every result is still needed\. Raise/,
    ],
  ])('%s: the error names the budget and its use, and says that a restart cannot help', (overflow, message) => {
    const { room, budget } = roomOf(overflow);
    budget.reserve(90);
    const failure = thrownBy(() => room.take(11));
    expect(failure).toMatchObject({ owner: edge, budgetBytes: 100, usedBytes: 90, recovery: 'never' });
    expect((failure as Error).message).toMatch(message);
  });

  it('the error names the budget of the run if that one is used up', () => {
    const { room, run } = roomOf('fail', { whole: 70 });
    run.reserve(30);
    expect(thrownBy(() => room.take(41))).toMatchObject({ owner: 'the run', budgetBytes: 70, usedBytes: 30 });
    expect(thrownBy(() => room.take(40))).toBeUndefined();
  });

  describe('a waiting producer', () => {
    const waiting = (options?: Parameters<typeof roomOf>[1]) => {
      const made = roomOf('back-pressure', options);
      made.budget.reserve(60);
      made.room.take(50);
      expect([made.room.isFull, made.clock.timerCount]).toEqual([true, 0]);
      made.room.waitForRoom();
      return made;
    };

    it('is notified once when there is room again, and not before', () => {
      const { room, budget, clock, heard } = waiting();
      clock.advance(timeoutMs - 1);
      budget.release(9);
      expect([heard, room.isFull]).toStrictEqual([[], true]);
      budget.release(1);
      expect([heard, room.isFull]).toStrictEqual([[undefined], false]);
      budget.reserve(50);
      budget.release(100);
      clock.advance(2 * timeoutMs);
      expect(heard).toStrictEqual([undefined]);
    });

    it('is notified when its own bytes are given back', () => {
      const { room, heard } = waiting();
      room.giveBack(50);
      expect(heard).toStrictEqual([undefined]);
    });

    it('waits for the run’s budget as well', () => {
      const { room, run, budget, heard } = waiting({ whole: 120 });
      run.reserve(50);
      budget.release(30);
      expect([heard, room.isFull]).toStrictEqual([[], true]);
      run.release(50);
      expect([heard, room.isFull]).toStrictEqual([[undefined], false]);
    });

    it('DR2: times out, however often it asks, with an error that a restart may cure', () => {
      const { room, clock, heard } = waiting();
      clock.advance(timeoutMs / 2);
      room.waitForRoom();
      expect([room.isFull, clock.timerCount]).toEqual([true, 1]);
      clock.advance(timeoutMs / 2 - 1);
      expect(heard).toStrictEqual([]);
      clock.advance(1);
      expect(heard).toStrictEqual([expect.any(DiskBudgetExceededError)]);
      expect(heard[0]).toMatchObject({ budgetBytes: 100, usedBytes: 110, recovery: 'restart' });
      expect(heard[0]?.message).toMatch(/a producer has waited 1000 ms/);
    });

    it('DR2: names the run’s budget if that one is used up', () => {
      const { run, budget, clock, heard } = waiting({ whole: 120 });
      run.reserve(50);
      budget.release(30);
      clock.advance(timeoutMs);
      expect(heard).toMatchObject([{ owner: 'the run', budgetBytes: 120, usedBytes: 130 }]);
    });

    it('DR2: has the full time again for its next wait', () => {
      const { room, budget, clock, heard } = waiting();
      clock.advance(timeoutMs - 1);
      budget.release(10);
      budget.reserve(10);
      room.waitForRoom();
      clock.advance(timeoutMs - 1);
      expect(heard).toStrictEqual([undefined]);
      clock.advance(1);
      expect(heard).toStrictEqual([undefined, expect.any(DiskBudgetExceededError)]);
    });

    it('waits only while there is no room', () => {
      const { room, budget, clock } = roomOf('back-pressure');
      budget.reserve(100);
      room.waitForRoom();
      expect(clock.timerCount).toBe(0);
    });

    it.each<['stopWaiting' | 'close', number]>([
      ['stopWaiting', 50],
      ['close', 0],
    ])('%s: is not notified any more', (end, used) => {
      const { room, budget, clock, heard } = waiting();
      room[end]();
      expect([clock.timerCount, room.usedBytes]).toEqual([0, used]);
      budget.release(60);
      clock.advance(2 * timeoutMs);
      expect(heard).toStrictEqual([]);
    });
  });

  it('DR1, DR2: property: reserves what it has taken and not given back, and exceeds the budget by at most one batch', () => {
    const step = fc.record({
      kind: fc.constantFrom('take', 'take', 'give back', 'others'),
      bytes: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom<DiskOverflow>('back-pressure', 'drop-releasable', 'fail'),
        fc.array(step, { maxLength: 40 }),
        (overflow, steps) => {
          const { room, run, budget } = roomOf(overflow);
          const held: number[] = [];
          let others = 0;
          for (const { kind, bytes } of steps) {
            if (kind === 'others') {
              budget.release(others);
              others = Math.min(bytes, budget.totalBytes - budget.reservedBytes);
              others = Math.max(0, others);
              budget.reserve(others);
            } else if (kind === 'give back') {
              const given = held.pop();
              if (given !== undefined) room.giveBack(given);
            } else if (room.isFull) {
              room.waitForRoom();
            } else {
              try {
                room.take(bytes);
                held.push(bytes);
              } catch (error) {
                expect(error).toBeInstanceOf(DiskBudgetExceededError);
                expect([overflow, budget.hasRoomFor(bytes)]).not.toEqual(['back-pressure', true]);
              }
            }
            const used = held.reduce((sum, taken) => sum + taken, 0);
            expect([room.usedBytes, budget.reservedBytes]).toEqual([used, used + others]);
            expect(budget.reservedBytes).toBeLessThanOrEqual(overflow === 'back-pressure' ? 160 : 100);
          }
          room.close();
          expect([budget.reservedBytes, run.reservedBytes]).toEqual([others, others]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
