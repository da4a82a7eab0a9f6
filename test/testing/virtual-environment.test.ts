import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { delay, interval, of, take, timer } from 'rxjs';
import { createActor, createMachine } from 'xstate';
import { VirtualTimeError } from '../../src/testing/virtual-clock.ts';
import { type VirtualEnvironment, virtualEnvironment } from '../../src/testing/virtual-environment.ts';

/** Records events with their virtual time. */
function record(environment: VirtualEnvironment): { readonly log: string[]; readonly note: (what: string) => void } {
  const log: string[] = [];
  return { log, note: (what) => void log.push(`${environment.clock.now()} ${what}`) };
}

function waitingMachine(delayMs: number) {
  return createMachine({
    initial: 'waiting',
    states: { waiting: { after: { [delayMs]: 'done' } }, done: { type: 'final' } },
  });
}

describe('one clock', () => {
  it('runs timers of XState, RxJS and its own in one order', () => {
    const environment = virtualEnvironment();
    const { clock, scheduler } = environment;
    const { log, note } = record(environment);
    const after = (delayMs: number): void => {
      const actor = createActor(waitingMachine(delayMs), { clock });
      actor.subscribe({ complete: () => note(`after ${delayMs}`) });
      actor.start();
    };

    timer(30, scheduler).subscribe(() => note('rxjs 30'));
    after(20);
    clock.setTimeout(() => note('timer 20'), 20);
    of('x')
      .pipe(delay(20, scheduler))
      .subscribe(() => note('rxjs 20'));
    after(10);
    clock.setTimeout(() => note('timer 10'), 10);
    after(30);
    clock.setImmediate(() => note('immediate'));
    expect(log).toEqual([]);
    environment.runUntilIdle();

    expect(log).toEqual([
      '0 immediate',
      '10 after 10',
      '10 timer 10',
      '20 after 20',
      '20 timer 20',
      '20 rxjs 20',
      '30 rxjs 30',
      '30 after 30',
    ]);
  });

  it('repeats an RxJS interval, and stops when it is unsubscribed', () => {
    const environment = virtualEnvironment();
    const { log, note } = record(environment);
    interval(10, environment.scheduler)
      .pipe(take(3))
      .subscribe({ next: (count) => note(`${count}`), complete: () => note('complete') });
    const endless = interval(4, environment.scheduler).subscribe(() => note('endless'));
    environment.advance(9);
    endless.unsubscribe();
    environment.runUntilIdle();
    expect(log).toEqual(['4 endless', '8 endless', '10 0', '20 1', '30 2', '30 complete']);
    expect(environment.clock.timerCount).toBe(0);
  });

  it('runs due timers before immediates, and the work they schedule in the next turn', () => {
    const environment = virtualEnvironment();
    const { clock } = environment;
    const { log, note } = record(environment);
    clock.setImmediate(() => {
      note('immediate');
      clock.setImmediate(() => note('immediate of immediate'));
      clock.setTimeout(() => note('timer of immediate'), 0);
    });
    clock.setTimeout(() => {
      note('timer');
      clock.setImmediate(() => note('immediate of timer'));
    }, 0);
    environment.runUntilIdle();
    expect(log).toEqual([
      '0 timer',
      '0 immediate',
      '0 timer of immediate',
      '0 immediate of timer',
      '0 immediate of immediate',
    ]);
  });

  it('advances to the given instant and not beyond', () => {
    const environment = virtualEnvironment({ startMs: 1_000 });
    const { clock } = environment;
    const { log, note } = record(environment);
    for (const delayMs of [5, 10, 11]) clock.setTimeout(() => note(`${delayMs}`), delayMs);
    environment.advance(10);
    expect(log).toEqual(['1005 5', '1010 10']);
    expect(clock.now()).toBe(1_010);
    environment.advance(100);
    expect(clock.now()).toBe(1_110);
  });

  it.each([
    ['negative', -5, 0],
    ['not a number', Number.NaN, 0],
    ['fractional', 0.5, 0.5],
  ])('accepts a delay that is %s', (_, delayMs, dueMs) => {
    const environment = virtualEnvironment();
    const { log, note } = record(environment);
    environment.clock.setTimeout(() => note('ran'), delayMs);
    environment.runUntilIdle();
    expect(log).toEqual([`${dueMs} ran`]);
  });

  it('never fires a timer of infinite delay, and is idle with it', () => {
    const environment = virtualEnvironment();
    const handle = environment.clock.setTimeout(() => {
      throw new Error('fired');
    }, Number.POSITIVE_INFINITY);
    environment.runUntilIdle();
    environment.clock.clearTimeout(handle);
    expect(environment.clock.timerCount).toBe(0);
  });
});

describe('cancellation', () => {
  it('drops a timer that was canceled before its turn, in its turn, or twice', () => {
    const environment = virtualEnvironment();
    const { clock } = environment;
    const { log, note } = record(environment);
    const before = clock.setTimeout(() => note('before'), 5);
    clock.clearTimeout(before);
    clock.clearTimeout(before);
    const [first, second]: unknown[] = [
      clock.setTimeout(() => {
        note('first');
        clock.clearTimeout(second);
        clock.clearTimeout(first);
      }, 5),
      clock.setTimeout(() => note('second'), 5),
    ];
    clock.setTimeout(() => note('third'), 6);
    expect(clock.timerCount).toBe(3);
    environment.runUntilIdle();
    expect(log).toEqual(['5 first', '6 third']);
    expect(clock.timerCount).toBe(0);
    clock.clearTimeout(undefined);
  });

  it('drops RxJS work that was unsubscribed before its turn, including immediates', () => {
    const environment = virtualEnvironment();
    const { note, log } = record(environment);
    const subscriptions = [0, 10].map((delayMs) => environment.scheduler.schedule(() => note('ran'), delayMs));
    for (const subscription of subscriptions) subscription.unsubscribe();
    environment.runUntilIdle();
    expect(log).toEqual([]);
  });

  it('keeps the order of the remaining timers, whatever is canceled around them', () => {
    const environment = virtualEnvironment({ seed: 5 });
    const { clock, random } = environment;
    const due: number[] = [];
    const expected: [number, number][] = [];
    const handles: unknown[] = [];
    const dueOf: number[] = [];
    for (let index = 0; index < 2_000; index++) {
      const delayMs = random.integer(0, 300);
      dueOf.push(delayMs);
      handles.push(clock.setTimeout(() => void due.push(index), delayMs));
    }
    const kept = new Set(handles.keys());
    for (let index = 0; index < 1_900; index++) {
      const victim = random.integer(0, handles.length - 1);
      clock.clearTimeout(handles[victim]);
      kept.delete(victim);
    }
    for (const index of kept) expected.push([dueOf[index] as number, index]);
    expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    expect(clock.timerCount).toBe(kept.size);
    environment.runUntilIdle();
    expect(due).toEqual(expected.map(([, index]) => index));
  });
});

describe('order', () => {
  function run(seed: number, order: 'fifo' | 'shuffled'): string[] {
    const environment = virtualEnvironment({ seed, order });
    const { clock } = environment;
    const { log, note } = record(environment);
    for (let index = 0; index < 20; index++) {
      clock.setTimeout(() => note(`timer ${index}`), index % 2 === 0 ? 10 : 20);
      clock.setImmediate(() => note(`immediate ${index}`));
    }
    environment.runUntilIdle();
    return log;
  }

  it('is that of scheduling by default, for any seed', () => {
    expect(run(1, 'fifo')).toEqual(run(2, 'fifo'));
    expect(run(1, 'fifo').slice(20, 23)).toEqual(['10 timer 0', '10 timer 2', '10 timer 4']);
  });

  it('is the same for the same seed and another for another, if shuffled', () => {
    expect(run(1, 'shuffled')).toEqual(run(1, 'shuffled'));
    expect(run(1, 'shuffled')).not.toEqual(run(2, 'shuffled'));
    expect(run(1, 'shuffled')).not.toEqual(run(1, 'fifo'));
  });

  it('never puts later before earlier, if shuffled', () => {
    const log = run(3, 'shuffled');
    expect([...log].sort()).toEqual([...run(3, 'fifo')].sort());
    const times = log.map((line) => Number.parseInt(line, 10));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});

describe('promises', () => {
  it('continue after each turn, however long their chain, before time moves', async () => {
    const environment = virtualEnvironment();
    const { clock } = environment;
    const { log, note } = record(environment);
    let isDone = false;
    async function user(): Promise<void> {
      note('start');
      for (let hop = 0; hop < 500; hop++) await Promise.resolve();
      note('after 500 hops');
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
      note('woken');
      await new Promise<void>((resolve) => process.nextTick(resolve));
      isDone = true;
    }
    clock.setImmediate(() => void user());
    clock.setTimeout(() => note('timer'), 5);
    clock.setTimeout(() => note('late timer'), 11);
    await environment.runUntil(() => isDone);
    expect(log).toEqual(['0 start', '0 after 500 hops', '5 timer', '10 woken']);
  });

  it('are driven to their value or error', async () => {
    const environment = virtualEnvironment();
    const later = (delayMs: number) =>
      new Promise<number>((resolve) => environment.clock.setTimeout(() => resolve(delayMs), delayMs));
    await expect(environment.drive(later(50))).resolves.toBe(50);
    expect(environment.clock.now()).toBe(50);
    await expect(environment.drive(later(50).then(() => Promise.reject(new Error('no'))))).rejects.toThrow('no');
    expect(environment.clock.now()).toBe(100);
  });

  it('do not continue while driven synchronously', () => {
    const environment = virtualEnvironment();
    let ran = false;
    environment.clock.setTimeout(() => void Promise.resolve().then(() => (ran = true)), 5);
    environment.runUntilIdle();
    expect(ran).toBe(false);
  });

  it('settle: no work is ready, no timer is armed, no promise continues', async () => {
    const environment = virtualEnvironment();
    const { clock } = environment;
    const { log, note } = record(environment);
    const user = async (): Promise<void> => {
      for (let hop = 0; hop < 50; hop++) await Promise.resolve();
      clock.setImmediate(() => note('immediate'));
      clock.setTimeout(() => void Promise.resolve().then(() => note('end')), 7);
    };
    clock.setTimeout(() => void user(), 3);
    await environment.settle();
    expect(log).toEqual(['3 immediate', '10 end']);
  });

  it('wait for files: time does not move while one is read', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kintsugi-'));
    try {
      const file = join(directory, 'file');
      await writeFile(file, 'x'.repeat(4_000_000));
      const environment = virtualEnvironment();
      const { log, note } = record(environment);
      environment.clock.setTimeout(() => note('timer'), 1);
      await environment.drive(
        (async () => {
          for (let read = 0; read < 3; read++) note(`${(await readFile(file)).length} bytes`);
        })(),
      );
      expect(log).toEqual(['0 4000000 bytes', '0 4000000 bytes', '0 4000000 bytes']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('wait for held work: time does not move until it is released', async () => {
    const environment = virtualEnvironment();
    const { log, note } = record(environment);
    const release = environment.hold();
    environment.clock.setTimeout(() => note('timer'), 1);
    let rounds = 0;
    const outside = (): void => {
      if (++rounds < 10) setImmediate(outside);
      else {
        note('outside');
        release();
        release();
      }
    };
    setImmediate(outside);
    await environment.settle();
    expect(log).toEqual(['0 outside', '1 timer']);
  });
});

describe('standstill', () => {
  it('is an error that names the instant, the awaited event and the seed', async () => {
    const environment = virtualEnvironment({ seed: 77 });
    environment.clock.setTimeout(() => {}, 40);
    const driven = environment.drive(new Promise(() => {}), {
      what: 'job "flights"',
      describe: () => 'map[2] deploying',
    });
    await expect(driven).rejects.toThrow(VirtualTimeError);
    await expect(driven).rejects.toThrow(
      /Virtual time is stuck at 40 ms: no work is ready, no timer is armed, and job "flights" is not done\..*seed 77.*\nmap\[2\] deploying/s,
    );
  });

  it('is detected although timers continue forever', async () => {
    const environment = virtualEnvironment();
    interval(1_000, environment.scheduler).subscribe();
    await expect(environment.drive(new Promise(() => {}), { limitMs: 60_000 })).rejects.toThrow(
      /reached 60000 ms and the promise is not done within 60000 ms: 1 timers are armed, the next is due at 61000 ms/,
    );
    expect(() => environment.runUntilIdle(5_000)).toThrow(/the clock is not done within 5000 ms/);
  });

  it('is detected when work reschedules itself without a delay', () => {
    const environment = virtualEnvironment();
    const again = (): void => void environment.clock.setImmediate(again);
    again();
    expect(() => environment.advance(1)).toThrow(/Virtual time is stuck at 0 ms: \d+ callbacks ran at that instant/);
  });

  it('a callback that throws passes its error on, and the rest of the turn still runs', () => {
    const environment = virtualEnvironment();
    const { log, note } = record(environment);
    environment.clock.setImmediate(() => {
      throw new Error('broken');
    });
    environment.clock.setImmediate(() => note('next'));
    expect(() => environment.runUntilIdle()).toThrow('broken');
    environment.runUntilIdle();
    expect(log).toEqual(['0 next']);
  });
});

it('runs timers, half of them canceled, at a cost that does not grow with their number', () => {
  const cpuMsOf = (count: number): number => {
    const environment = virtualEnvironment({ seed: 9 });
    const { clock, random } = environment;
    let ran = 0;
    const before = process.cpuUsage();
    const handles: unknown[] = [];
    for (let index = 0; index < count; index++) {
      handles.push(clock.setTimeout(() => ran++, random.integer(0, 50_000)));
    }
    for (let index = 0; index < handles.length; index += 2) clock.clearTimeout(handles[index]);
    environment.runUntilIdle();
    expect(ran).toBe(count / 2);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  // The least of three: a collection of the whole heap, which grows with the other tests, may hit one of them.
  const leastOf = (count: number): number => Math.min(...[0, 1, 2].map(() => cpuMsOf(count)));
  // Sixteen times as many timers: a little over 16 times the work, where a quadratic algorithm takes 256.
  expect(leastOf(200_000)).toBeLessThan(128 * Math.max(leastOf(12_500), 5));
});
