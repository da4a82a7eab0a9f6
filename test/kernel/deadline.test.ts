import { existsSync, mkdir, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeadlineQueue, setDeadline } from '../../src/deadline.ts';
import { systemEnvironment } from '../../src/environment.ts';
import { VirtualClock } from '../../src/testing/index.ts';

describe('a deadline', () => {
  /** A deadline of 100 ms, and what happened. */
  function armed() {
    const clock = new VirtualClock();
    const expired: number[] = [];
    const disarm = setDeadline(clock, 100, () => expired.push(clock.now()));
    return { clock, expired, disarm };
  }

  it('expires once, when its time is over and not before', () => {
    const { clock, expired } = armed();
    clock.advance(99);
    expect(expired).toEqual([]);
    clock.advance(1);
    clock.advance(1_000);
    expect(expired).toEqual([100]);
  });

  it.each(['before its time', 'after it expired'])(
    'disarmed %s it has no further effect, and leaves no timer',
    (when) => {
      const { clock, expired, disarm } = armed();
      if (when === 'after it expired') clock.advance(100);
      const before = [...expired];
      disarm();
      disarm();
      clock.advance(1_000);
      expect([expired, clock.timerCount]).toEqual([before, 0]);
    },
  );

  it.each([
    { turns: 1, what: 'the answer itself' },
    { turns: 2, what: 'the work that the answer woke' },
    { turns: 3, what: 'an answer that is written first' },
  ])('$what is received first, although the timer has fired', ({ turns }) => {
    const { clock, expired, disarm } = armed();
    const answer = (left: number): unknown => (left === 0 ? disarm() : clock.setImmediate(() => answer(left - 1)));
    clock.setTimeout(() => answer(turns), 100);
    clock.advance(1_000);
    expect(expired).toEqual([]);
  });

  it('a busy thread receives pending answers before it expires deadlines', async () => {
    const { clock } = systemEnvironment();
    const directory = join(tmpdir(), `kintsugi-deadline-${process.pid}`);
    rmSync(directory, { recursive: true, force: true });
    const outcome = await new Promise((resolve) => {
      const disarm = setDeadline(clock, 5, () => resolve('timed out'));
      mkdir(directory, () => {
        disarm();
        resolve('answered');
      });
      // Busy until the answer has arrived, long past the deadline.
      const untilMs = clock.now() + 100;
      while (!existsSync(directory) || clock.now() < untilMs);
    });
    rmSync(directory, { recursive: true, force: true });
    expect(outcome).toBe('answered');
  });
});

describe('a queue of deadlines', () => {
  /** A queue of 100 ms deadlines, and when each expired. */
  function queue(clock = new VirtualClock()) {
    const expired: [name: string, atMs: number][] = [];
    const deadlines = new DeadlineQueue(clock, 100);
    const add = (name: string, then = (): void => {}) =>
      deadlines.add(() => {
        expired.push([name, clock.now()]);
        then();
      });
    return { clock, expired, add };
  }

  it.each([
    { disarmed: [], expected: ['a 100', 'b 130', 'c 130', 'd 160'] },
    { disarmed: ['a'], expected: ['b 130', 'c 130', 'd 160'] },
    { disarmed: ['b', 'd'], expected: ['a 100', 'c 130'] },
    { disarmed: ['a', 'b', 'c', 'd'], expected: [] },
  ])('DQ1: without $disarmed each expires when it is due', ({ disarmed, expected }) => {
    const { clock, expired, add } = queue();
    const disarmByName: Record<string, () => void> = { a: add('a') };
    clock.advance(30);
    Object.assign(disarmByName, { b: add('b'), c: add('c') });
    clock.advance(30);
    Object.assign(disarmByName, { d: add('d') });
    for (const name of [...disarmed, ...disarmed]) disarmByName[name]?.();
    clock.advance(1_000);
    expect(expired.map(([name, atMs]) => `${name} ${atMs}`)).toEqual(expected);
  });

  it('DQ2: one timer serves all, and none remains when the last was disarmed', () => {
    const { clock, add } = queue();
    const disarms = ['a', 'b', 'c'].map((name) => add(name));
    expect(clock.timerCount).toBe(1);
    for (const disarm of disarms) disarm();
    expect(clock.timerCount).toBe(0);
    add('d');
    expect(clock.timerCount).toBe(1);
  });

  it('an expiring deadline may disarm others and set new ones', () => {
    const { clock, expired, add } = queue();
    const disarms: (() => void)[] = [];
    add('a', () => {
      for (const disarm of disarms) disarm();
      add('c');
    });
    disarms.push(add('b'));
    clock.advance(99);
    disarms.push(add('b'));
    clock.advance(1_000);
    expect([expired, clock.timerCount]).toEqual([
      [
        ['a', 100],
        ['c', 200],
      ],
      0,
    ]);
  });

  it('deadlines that expire on a busy thread wait once together, not one after the other', () => {
    const busy = new VirtualClock();
    const { setTimeout } = busy;
    let lateMs = 50;
    busy.setTimeout = (callback, delayMs) => {
      const late = lateMs;
      lateMs = 0;
      return setTimeout.call(busy, callback, delayMs + late);
    };
    const { clock, expired, add } = queue(busy);
    add('a');
    clock.advance(10);
    add('b');
    clock.advance(1_000);
    expect(expired).toEqual([
      ['a', 200],
      ['b', 200],
    ]);
  });
});
