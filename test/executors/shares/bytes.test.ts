import fc from 'fast-check';
import { planJob } from '../../../src/api/job-planner.ts';
import type { ByteBudget } from '../../../src/partitions/byte-budget.ts';
import { fromArray, forEach, Job, memory } from '../../../src/index.ts';
import { DiskRoom, type DiskOverflow } from '../../../src/partitions/retained/disk-room.ts';
import { reserveIfRoom } from '../../support/partition-harness.ts';
import { remoteRig, rigs, type ServicesRig } from './services-rig.ts';

const limited = { memoryBudgetBytes: 1_600, diskBudgetBytes: 1_600 };

/** The budget of each executor. */
function memoryOf({ services }: ServicesRig): ByteBudget[] {
  return services.map(({ budgets }) => budgets.of(0).memory);
}

describe.each(rigs)('a budget of several executors $where', ({ rig }) => {
  it('BS1, BU1: what they reserve together where there is room is never more than it', () => {
    const steps = fc.array(
      fc.record({
        executor: fc.integer({ min: 0, max: 2 }),
        bytes: fc.integer({ min: 1, max: 500 }),
        does: fc.constantFrom('reserve', 'reserve', 'release', 'lend'),
        afterMs: fc.constantFrom(0, 0, 1, 30),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1_000_000 }), (plan, seed) => {
        const made = rig({ seed, options: limited });
        const budgets = memoryOf(made);
        const held: number[][] = budgets.map(() => []);
        const lent = budgets.map(() => 0);
        for (const { executor, bytes, does, afterMs } of plan) {
          const budget = budgets[executor] as ByteBudget;
          const own = held[executor] as number[];
          if (does === 'reserve' && reserveIfRoom(budget, bytes)) own.push(bytes);
          if (does === 'release') budget.release(own.shift() ?? 0);
          const borrower = {
            yield: (wanted: number): void => {
              const given = Math.min(wanted, lent[executor] as number);
              (lent[executor] as number) -= given;
              budget.giveBack(given);
            },
          };
          if (does === 'lend' && budget.lend(bytes, borrower)) (lent[executor] as number) += bytes;
          made.environment.advance(afterMs);
          expect([...held.flat(), ...lent].reduce((sum, next) => sum + next, 0)).toBeLessThanOrEqual(1_600);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('BS2, BU3: each gets what the others do not use, all of it', () => {
    const made = rig({ options: limited });
    const [one, other] = memoryOf(made) as [ByteBudget, ByteBudget];
    const reserves = (budget: ByteBudget, bytes: number): boolean => {
      for (let tries = 0; tries < 20; tries++) {
        if (reserveIfRoom(budget, bytes)) return true;
        made.environment.advance(50);
      }
      return false;
    };
    expect(reserves(one, 1_500)).toBe(true);
    expect(reserves(other, 100)).toBe(true);
    expect(reserves(other, 1)).toBe(false);
    one.release(1_500);
    expect(reserves(other, 1_500)).toBe(true);
  });

  it('BS3: who has reserved too much hears when there is room, be it of others', () => {
    const made = rig({ options: limited });
    const [one, other] = memoryOf(made) as [ByteBudget, ByteBudget];
    one.reserve(1_000);
    made.environment.advance(200);
    other.reserve(1_000);
    made.environment.advance(200);
    expect(other.isExceeded || one.isExceeded).toBe(true);
    let isRelieved = false;
    other.onRelief(() => {
      isRelieved ||= !other.isExceeded;
    });
    one.release(1_000);
    made.environment.advance(200);
    expect([isRelieved, one.isExceeded, other.isExceeded]).toEqual([true, false, false]);
  });
});

describe('a budget over messages', () => {
  it('BS4: a lost executor gives back its share', () => {
    const made = remoteRig({ options: limited });
    const [one, other] = memoryOf(made) as [ByteBudget, ByteBudget];
    one.reserve(1_600);
    made.environment.advance(200);
    other.reserve(1_600);
    made.environment.advance(200);
    expect([one.isExceeded, other.isExceeded]).toEqual([false, true]);
    made.lose(0);
    made.environment.advance(200);
    expect(other.isExceeded).toBe(false);
  });

  it('of an exchange is a part of that of the run, over all executors too', () => {
    const job = Job.create('parts', { parallelism: 1 });
    job
      .source('numbers', fromArray([1]))
      .rebalance({ exchange: memory({ memoryBudgetBytes: 800 }) })
      .sink(
        'seen',
        forEach(() => {}),
      );
    const made = remoteRig({ plan: planJob(job), options: limited });
    const budgets = memoryOf(made);
    let reserved = 0;
    for (let turn = 0; turn < 200; turn++) {
      for (const budget of budgets) if (reserveIfRoom(budget, 40)) reserved += 40;
      made.environment.advance(10);
    }
    expect(reserved).toBe(800);
  });

  it.each<{ overflow: DiskOverflow; outcome: string }>([
    { overflow: 'fail', outcome: 'fails' },
    { overflow: 'drop-releasable', outcome: 'fails' },
    { overflow: 'back-pressure', outcome: 'waits' },
  ])('DR3, BU2: a result on disk is refused room only when no executor has any: $overflow', ({ overflow, outcome }) => {
    const made = remoteRig({ options: limited });
    const { clock } = made.environment;
    const roomOf = (executor: number) => {
      const budget = made.services[executor]?.budgets.of(0).disk as ByteBudget;
      const room: DiskRoom = new DiskRoom({ budget, overflow, clock, timeoutMs: 60_000 }, () => {});
      return room;
    };
    /** Writes batches, as a producer does that waits for room. */
    const write = (room: DiskRoom, batches: number): string => {
      for (let batch = 0; batch < batches; batch++) {
        for (let tries = 0; room.isFull; tries++) {
          if (tries === 50) return 'waits';
          room.waitForRoom();
          made.environment.advance(20);
        }
        try {
          room.take(100);
        } catch {
          return 'fails';
        }
      }
      return 'writes';
    };
    const [one, other] = [roomOf(0), roomOf(1)];
    expect(write(one, 12)).toBe('writes');
    expect(write(other, 4)).toBe('writes');
    expect(write(other, 3)).toBe(outcome);
    one.close();
    made.environment.advance(200);
    expect(write(other, 5)).toBe('writes');
  });

  it('BS3: a producer that waits is told when no executor has room, and fails with its next batch', () => {
    const made = remoteRig({ options: limited });
    const { clock } = made.environment;
    const told: (Error | undefined)[] = [];
    const [other, own] = [0, 1].map((index) => made.services[index]?.budgets.of(0).disk) as [ByteBudget, ByteBudget];
    other.reserve(1_000);
    made.environment.advance(200);
    const options = { budget: own, overflow: 'fail', clock, timeoutMs: 60_000 } as const;
    const room = new DiskRoom(options, (failure) => told.push(failure));
    room.take(1_000);
    room.waitForRoom();
    expect([room.isFull, told.length]).toEqual([true, 0]);
    made.environment.advance(200);
    expect([room.isFull, told.length, told[0]]).toEqual([false, 1, undefined]);
    expect(() => room.take(1)).toThrow('Results of the run hold 2000 of 1600 bytes');
  });

  it('what is lent gets what nobody else uses, too, and yields it to who needs it', () => {
    const made = remoteRig({ options: limited });
    const [one, other] = memoryOf(made) as [ByteBudget, ByteBudget];
    let lent = 0;
    const borrower = {
      yield: (bytes: number): void => {
        const given = Math.min(bytes, lent);
        lent -= given;
        one.giveBack(given);
      },
    };
    for (let turn = 0; turn < 100; turn++) {
      if (one.lend(40, borrower)) lent += 40;
      made.environment.advance(20);
    }
    expect(lent).toBeGreaterThan(800);
    other.reserve(1_500);
    made.environment.advance(200);
    expect([other.isExceeded, lent <= 100]).toEqual([false, true]);
  });
});
