import { TaskScheduler } from '../../src/operators/task/task-scheduler.ts';
import type { Clock } from '../../src/environment.ts';
import type { Runnable } from '../../src/operators/task/task-scheduler.ts';

/** A clock on which every step of work takes as long as the test says. */
class WorkClock implements Clock {
  nowMs = 0;
  readonly turns: (() => void)[] = [];

  now(): number {
    return this.nowMs;
  }

  epochMs(): number {
    return this.nowMs;
  }

  setTimeout(): never {
    throw new Error('no timer is needed');
  }

  clearTimeout(): void {}

  setImmediate(callback: () => void): void {
    this.turns.push(callback);
  }

  /** Runs one turn; returns false if none was requested. */
  turn(): boolean {
    const callback = this.turns.shift();
    callback?.();
    return callback !== undefined;
  }
}

/** Work with a number of steps, each of the given duration. */
class Steps implements Runnable {
  readonly name: string;
  left: number;
  readonly #clock: WorkClock;
  readonly #stepMs: number;
  readonly #log: string[];

  constructor(name: string, left: number, stepMs: number, clock: WorkClock, log: string[]) {
    this.name = name;
    this.left = left;
    this.#stepMs = stepMs;
    this.#clock = clock;
    this.#log = log;
  }

  run(shouldYield: () => boolean): 'ready' | 'blocked' {
    this.#log.push(this.name);
    while (this.left > 0) {
      this.left--;
      this.#clock.nowMs += this.#stepMs;
      if (shouldYield()) return 'ready';
    }
    return 'blocked';
  }
}

describe('TaskScheduler', () => {
  const setUp = (maxSteps?: () => number) => {
    const clock = new WorkClock();
    const log: string[] = [];
    const scheduler = new TaskScheduler(clock, { sliceMs: 2, ...(maxSteps && { maxSteps }) });
    const steps = (name: string, left: number, stepMs: number) => new Steps(name, left, stepMs, clock, log);
    return { clock, log, scheduler, steps };
  };

  it('never runs a task on the stack of the wake, and once for several wakes', () => {
    const { clock, log, scheduler, steps } = setUp();
    const task = steps('a', 1, 0.1);
    scheduler.wake(task);
    scheduler.wake(task);
    expect(log).toEqual([]);
    expect(clock.turns).toHaveLength(1);
    clock.turn();
    expect(log).toEqual(['a']);
    expect(clock.turns).toHaveLength(0);
  });

  it('yields to the event loop after each slice, however much work there is', () => {
    const { clock, scheduler, steps } = setUp();
    const task = steps('a', 1_000, 0.1);
    scheduler.wake(task);
    let longestMs = 0;
    for (let started = clock.nowMs; clock.turn(); started = clock.nowMs)
      longestMs = Math.max(longestMs, clock.nowMs - started);
    expect(task.left).toBe(0);
    expect(longestMs).toBeLessThanOrEqual(2.2);
  });

  it('shares a slice among ready tasks', () => {
    const { clock, scheduler, steps } = setUp();
    const tasks = ['a', 'b', 'c', 'd'].map((name) => steps(name, 400, 0.1));
    for (const task of tasks) scheduler.wake(task);
    for (let turns = 0; turns < 20; turns++) clock.turn();
    const done = tasks.map(({ left }) => 400 - left);
    expect(Math.min(...done)).toBeGreaterThan(0.7 * Math.max(...done));
  });

  it('runs a task that another wakes in the same turn', () => {
    const { clock, log, scheduler, steps } = setUp();
    const second = steps('second', 1, 0.1);
    scheduler.wake({
      run: () => {
        log.push('first');
        scheduler.wake(second);
        return 'blocked';
      },
    });
    clock.turn();
    expect(log).toEqual(['first', 'second']);
  });

  it('yields by steps if the clock stands still', () => {
    const { clock, log, scheduler, steps } = setUp(() => 3);
    scheduler.wake(steps('a', 10, 0));
    scheduler.wake(steps('b', 2, 0));
    while (clock.turn());
    expect(log).toEqual(['a', 'b', 'a', 'a', 'a']);
  });

  it('yields to the event loop if the clock stands still and tasks wake each other', () => {
    const { clock, log, scheduler } = setUp(() => 10);
    const waking = (name: string, other: () => Runnable): Runnable => ({
      run: () => {
        log.push(name);
        scheduler.wake(other());
        return 'blocked';
      },
    });
    const ping: Runnable = waking('ping', () => pong);
    const pong: Runnable = waking('pong', () => ping);
    scheduler.wake(ping);
    clock.turn();
    expect(log).toHaveLength(11);
    expect(clock.turns).toHaveLength(1);
  });

  it('continues with the others if a task throws in spite of its contract', () => {
    const { clock, log, scheduler, steps } = setUp();
    scheduler.wake({
      run: () => {
        throw new Error('a bug');
      },
    });
    scheduler.wake(steps('a', 1, 0.1));
    expect(() => clock.turn()).toThrow('a bug');
    clock.turn();
    expect(log).toEqual(['a']);
  });
});
