import fc from 'fast-check';
import { OperationTimeoutError } from '../../src/errors/user-code-errors.ts';
import { UnrecoverableError } from '../../src/errors/job-errors.ts';
import { CallCostError, RetryAfterError } from '../../src/operators/calls/call-errors.ts';
import { AsyncMapStage } from '../../src/operators/calls/async-map-stage.ts';
import type {
  AsyncCallContext,
  AsyncMapOptions,
  OperatorDescription,
} from '../../src/operators/operator-description.ts';
import type { Batch } from '../../src/partitions/stream-element.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { draws } from '../support/draws.ts';
import { inBatches, StageHarness, unhandledDuring } from './stage-driver.ts';

type AsyncMap = Extract<OperatorDescription, { kind: 'asyncMap' }>;
type Fn = (record: number, context: AsyncCallContext) => unknown;

/** A call of the user's function: when, with what, which retry. */
type Noted = readonly [atMs: number, record: number, retry: number];

/** A stage that records its calls. */
class AsyncHarness extends StageHarness {
  readonly calls: Noted[] = [];
  readonly signals: AbortSignal[] = [];
  /** Unanswered calls, by record. */
  readonly pending = new Map<number, { resolve: (answer: unknown) => void; reject: (error: unknown) => void }>();
  mostAtOnce = 0;

  get nowMs(): number {
    return this.environment.clock.now();
  }

  stage(options: AsyncMapOptions, fn: Fn): AsyncMapStage {
    const noted: Fn = (record, context) => {
      this.calls.push([this.nowMs, record, context.retry]);
      this.signals.push(context.signal);
      return fn(record, context);
    };
    return new AsyncMapStage({ kind: 'asyncMap', fn: noted, options } as AsyncMap, this.runtime, this);
  }

  /** Answers after a delay. */
  later<Value>(ms: number, answer: () => Value): Promise<Value> {
    return new Promise<void>((resolve) => this.environment.clock.setTimeout(resolve, ms)).then(answer);
  }

  /** Answers on command. */
  readonly byHand: Fn = (record) =>
    new Promise((resolve, reject) => {
      this.pending.set(record, { resolve, reject });
      this.mostAtOnce = Math.max(this.mostAtOnce, this.pending.size);
    });

  async answer(record: number, answer: unknown = `answer ${record}`): Promise<void> {
    this.pending.get(record)?.resolve(answer);
    this.pending.delete(record);
    await this.promises();
  }

  async reject(record: number, error: unknown): Promise<void> {
    this.pending.get(record)?.reject(error);
    this.pending.delete(record);
    await this.promises();
  }

  /** Lets promises continue; time stands still. */
  async promises(): Promise<void> {
    await virtualEnvironment().settle();
  }

  /** Advances time, and lets promises continue at every stop. */
  async advance(ms: number): Promise<void> {
    let isOver = false;
    this.environment.clock.setTimeout(() => (isOver = true), ms);
    await this.environment.runUntil(() => isOver);
    this.environment.advance(0);
    await this.promises();
  }
}

const never: Fn = () => new Promise(() => {});

describe('mapAsync: results', () => {
  it.each<[string, Fn]>([
    ['promises', async (record) => record * 2],
    ['values at once', (record) => record * 2],
    ['now a promise, now a value', (record) => (record % 2 ? Promise.resolve(record * 2) : record * 2)],
    // oxlint-disable-next-line unicorn/no-thenable -- what it is about
    ['what calls back at once, and twice', (record) => ({ then: (f: (n: number) => void) => (f(record * 2), f(0)) })],
  ])('%s, in order', async (_name, fn) => {
    const harness = new AsyncHarness(3);
    const stage = harness.stage({ concurrency: 2 }, fn);
    const batches = await harness.run(stage, inBatches([1, 2, 3, 4, 5, 6, 7], 3));
    expect(batches.flat()).toEqual([2, 4, 6, 8, 10, 12, 14]);
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(3);
  });

  it('undefined is a valid result', async () => {
    const harness = new AsyncHarness();
    expect(
      await harness.run(
        harness.stage({}, async () => undefined),
        [[1, 2]],
      ),
    ).toEqual([[undefined, undefined]]);
  });

  it('AM2: ordered: waits for the first, then returns all that are ready', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({}, harness.byHand);
    stage.push([1, 2, 3]);
    await harness.answer(2);
    await harness.answer(1);
    expect(harness.pollAll(stage)).toEqual([['answer 1', 'answer 2']]);
    await harness.answer(3);
    expect(harness.pollAll(stage)).toEqual([['answer 3']]);
  });

  it('unordered: in order of completion', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ ordered: false }, harness.byHand);
    stage.push([1, 2, 3]);
    await harness.answer(3);
    await harness.answer(1);
    expect(harness.pollAll(stage)).toEqual([['answer 3', 'answer 1']]);
    await harness.answer(2);
    expect(harness.pollAll(stage)).toEqual([['answer 2']]);
  });

  it('does not wait to fill a batch, and wakes for each answer', async () => {
    const harness = new AsyncHarness(100);
    const stage = harness.stage({}, harness.byHand);
    stage.push([1, 2]);
    expect([harness.wakes, stage.poll()]).toEqual([0, undefined]);
    await harness.answer(1);
    expect([harness.wakes, stage.poll()]).toEqual([1, ['answer 1']]);
  });

  it('is done when the input has ended and everything was polled', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({}, harness.byHand);
    stage.push([1]);
    stage.end();
    expect(stage.isDone).toBe(false);
    await harness.answer(1);
    expect([stage.isDone, stage.poll(), stage.isDone]).toEqual([false, ['answer 1'], true]);
  });
});

describe('mapAsync: concurrency', () => {
  it.each([true, false])('AM1: never more than `concurrency` calls (ordered: %p)', async (ordered) => {
    const harness = new AsyncHarness(10);
    const stage = harness.stage({ concurrency: 3, ordered }, harness.byHand);
    stage.push([1, 2, 3, 4, 5]);
    expect([...harness.pending.keys()]).toEqual([1, 2, 3]);
    await harness.answer(2);
    expect([...harness.pending.keys()]).toEqual([1, 3, 4]);
    for (const record of [1, 3, 4, 5]) await harness.answer(record);
    expect(harness.mostAtOnce).toBe(3);
  });

  it('allows 16 calls at once by default', () => {
    const harness = new AsyncHarness(100);
    harness.stage({}, never).push(Array.from({ length: 40 }, (_, i) => i));
    expect(harness.calls).toHaveLength(16);
  });

  it('accepts no batch while records of the last one are not begun', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ concurrency: 2 }, harness.byHand);
    expect(stage.isAccepting).toBe(true);
    stage.push([1, 2, 3]);
    expect(stage.isAccepting).toBe(false);
    await harness.answer(1);
    expect(stage.isAccepting).toBe(true);
  });

  it.each([true, false])('AM3: begins nothing while its results are not taken (ordered: %p)', async (ordered) => {
    const harness = new AsyncHarness(4);
    const stage = harness.stage({ concurrency: 2, ordered }, async (record) => record);
    stage.push([1, 2, 3, 4]);
    await harness.promises();
    stage.push([5, 6, 7, 8]);
    await harness.promises();
    expect(harness.calls).toHaveLength(4);
    expect(stage.isAccepting).toBe(false);
    expect(stage.poll()).toEqual([1, 2, 3, 4]);
    await harness.promises();
    expect(harness.calls).toHaveLength(8);
  });

  it.each([true, false])('AM3: counts answered calls and those under way (ordered: %p)', async (ordered) => {
    const harness = new AsyncHarness(2);
    const stage = harness.stage({ concurrency: 4, ordered }, harness.byHand);
    stage.push(Array.from({ length: 50 }, (_, i) => i));
    for (let record = 0; record < 8; record++) await harness.answer(record);
    expect(harness.calls).toHaveLength(8);
    expect(stage.poll()).toHaveLength(2);
    expect(harness.calls).toHaveLength(10);
  });

  it('AM3: large results come a few at a time, and delay further calls', async () => {
    const harness = new AsyncHarness(100, undefined, 1_000);
    const stage = harness.stage({ concurrency: 2 }, (record) => `${record}${'x'.repeat(400)}`);
    stage.push(Array.from({ length: 60 }, (_, i) => i));
    let taken = 0;
    for (let batch = stage.poll(); batch !== undefined; batch = stage.poll()) {
      expect(batch.length).toBeLessThanOrEqual(2);
      taken += batch.length;
      expect(harness.calls.length - taken).toBeLessThanOrEqual(taken < 17 ? 16 : 4);
    }
    expect(taken).toBe(60);
  });

  it('AM3: one slow call does not let the others run ahead without limit', async () => {
    const harness = new AsyncHarness(2);
    const stage = harness.stage({ concurrency: 4 }, (record) => (record === 1 ? new Promise(() => {}) : record));
    stage.push(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(harness.calls).toHaveLength(8);
    expect(stage.poll()).toBeUndefined();
  });
});

describe('mapAsync: time limits', () => {
  it('fails a call at its limit, names it, and aborts its signal with the reason', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ timeoutMs: 50 }, never);
    stage.push([1]);
    await harness.advance(49);
    expect([stage.poll(), harness.signals[0]?.aborted, harness.wakes]).toEqual([undefined, false, 0]);
    await harness.advance(1);
    expect(harness.wakes).toBe(1);
    expect(() => stage.poll()).toThrow(OperationTimeoutError);
    expect(() => stage.poll()).toThrow('A call of mapAsync in "step" did not finish within 50 ms');
    expect(harness.signals[0]?.reason).toBeInstanceOf(OperationTimeoutError);
  });

  it('count from the start of each call, including retries', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage(
      { concurrency: 1, timeoutMs: 50, retries: 2, retryDelayMs: () => 5 },
      (record, { retry }) => (retry < 2 ? new Promise(() => {}) : harness.later(49, () => record)),
    );
    expect(await harness.run(stage, [[1]])).toEqual([[1]]);
    expect(harness.calls).toEqual([
      [0, 1, 0],
      [55, 1, 1],
      [110, 1, 2],
    ]);
    expect(harness.nowMs).toBe(159);
    expect(harness.signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
  });

  it('leave no timer behind when calls answer or fail', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ timeoutMs: 1_000, retries: 1, retryDelayMs: () => 1 }, async (record, { retry }) => {
      if (retry === 0) throw new Error('once');
      return record;
    });
    await harness.run(stage, [[1, 2]]);
    expect([harness.nowMs, harness.environment.clock.timerCount]).toEqual([1, 0]);
  });

  it.each(['answer', 'reject'] as const)('AM4: an %s after the limit has no effect', async (how) => {
    const harness = new AsyncHarness();
    let lateCall: { resolve: (answer: unknown) => void; reject: (error: unknown) => void } | undefined;
    const stage = harness.stage({ timeoutMs: 10, retries: 1, retryDelayMs: () => 100 }, (record, context) => {
      const answer = harness.byHand(record, context);
      if (context.retry === 0) lateCall = harness.pending.get(record);
      return answer;
    });
    stage.push([1]);
    const unhandled = await unhandledDuring(async () => {
      await harness.advance(50);
      if (how === 'answer') lateCall?.resolve('too late');
      else lateCall?.reject(new Error('too late'));
      await harness.advance(55);
      expect([stage.poll(), harness.calls.length]).toEqual([undefined, 1]);
      await harness.advance(6);
      await harness.answer(1, 'in time');
      expect(stage.poll()).toEqual(['in time']);
    });
    expect(unhandled).toEqual([]);
  });

  it('a function that rejects because its signal was aborted has failed once', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage(
      { timeoutMs: 10, retries: 1, retryDelayMs: () => 10 },
      (record, { signal, retry }) =>
        new Promise((resolve, reject) => {
          if (retry === 1) resolve(record);
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    );
    expect(await harness.run(stage, [[1]])).toEqual([[1]]);
    expect(harness.calls.map(([atMs]) => atMs)).toEqual([0, 20]);
  });
});

describe('mapAsync: retries', () => {
  const failing =
    (times: number, error: unknown = new Error('busy')): Fn =>
    async (record, { retry }) => {
      if (retry < times) throw error;
      return record;
    };

  it('fails with the first error by default', async () => {
    const harness = new AsyncHarness();
    await expect(harness.run(harness.stage({}, failing(1)), [[1]])).rejects.toThrow('busy');
    expect(harness.calls).toHaveLength(1);
  });

  it('fails with the last error when the retries are used up', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ retries: 2, retryDelayMs: () => 1 }, async (_record, { retry }) => {
      throw new Error(`failure ${retry}`);
    });
    await expect(harness.run(stage, [[1]])).rejects.toThrow('failure 2');
    expect(harness.calls).toHaveLength(3);
  });

  it.each<[string, Fn]>([
    ['rejects', failing(1)],
    [
      'throws',
      (record, { retry }) => {
        if (retry === 0) throw new Error('busy');
        return record;
      },
    ],
    [
      'answers with a value that throws when it is read',
      (record, { retry }) =>
        retry > 0
          ? record
          : {
              // oxlint-disable-next-line unicorn/no-thenable -- what it is about
              get then(): unknown {
                throw new Error('busy');
              },
            },
    ],
    [
      'answers with what throws when it is waited for',
      (record, { retry }) =>
        retry > 0
          ? record
          : {
              // oxlint-disable-next-line unicorn/no-thenable -- what it is about
              then: () => {
                throw new Error('busy');
              },
            },
    ],
  ])('retries a function that %s, after the configured delay', async (_name, fn) => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ retries: 3, retryDelayMs: (retry) => retry * 7 }, fn);
    expect(await harness.run(stage, [[1]])).toEqual([[1]]);
    expect(harness.calls).toEqual([
      [0, 1, 0],
      [7, 1, 1],
    ]);
  });

  it('waits 100 · 2^(retry−1) ms, at most 10 s, give or take a fifth', async () => {
    const waits: number[][] = Array.from({ length: 9 }, () => []);
    for (let seed = 1; seed <= 200; seed++) {
      const harness = new AsyncHarness(4, virtualEnvironment({ seed }));
      await harness.run(harness.stage({ retries: 9 }, failing(9)), [[1]]);
      for (const [retry, wait] of waits.entries()) {
        wait.push((harness.calls[retry + 1]?.[0] ?? 0) - (harness.calls[retry]?.[0] ?? 0));
      }
    }
    for (const [index, nominal] of [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000].entries()) {
      const [least, most] = [Math.min(...(waits[index] as number[])), Math.max(...(waits[index] as number[]))];
      expect(least / nominal).toBeGreaterThanOrEqual(0.8 - 1e-9);
      expect(least / nominal).toBeLessThan(0.85);
      expect(most / nominal).toBeLessThanOrEqual(1.2 + 1e-9);
      expect(most / nominal).toBeGreaterThan(1.15);
    }
  });

  it('AM2: keeps the order over retries', async () => {
    const harness = new AsyncHarness(2);
    const stage = harness.stage({ retries: 1, retryDelayMs: () => 5 }, async (record, { retry }) => {
      if (record % 2 === 1 && retry === 0) throw new Error('busy');
      return record;
    });
    expect((await harness.run(stage, inBatches([1, 2, 3, 4, 5], 2))).flat()).toEqual([1, 2, 3, 4, 5]);
  });

  it('AM1: a record that waits for its retry counts', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ concurrency: 1, retries: 1, retryDelayMs: () => 30 }, failing(1));
    await harness.run(stage, [[1, 2]]);
    expect(harness.calls).toEqual([
      [0, 1, 0],
      [30, 1, 1],
      [30, 2, 0],
      [60, 2, 1],
    ]);
  });

  it('asks retryIf, with an Error for any thrown value', async () => {
    const harness = new AsyncHarness();
    const asked: string[] = [];
    const retryIf = (error: Error): boolean => asked.push(`${error.name} ${error.message}`) < 2;
    const stage = harness.stage({ retries: 9, retryDelayMs: () => 1, retryIf }, failing(9, 'a string'));
    await expect(harness.run(stage, [[1]])).rejects.toThrow('A non-error was thrown: "a string"');
    expect(asked).toEqual(Array(2).fill('NonErrorThrownError A non-error was thrown: "a string"'));
  });

  it.each([
    ['an UnrecoverableError', new UnrecoverableError('gone for good')],
    ['an error caused by one', new Error('wrapped', { cause: new UnrecoverableError('gone for good') })],
    ['a call that was refused for good', Object.assign(new Error('bad request'), { status: 400 })],
  ])('does not retry %s', async (_name, error) => {
    const harness = new AsyncHarness();
    await expect(harness.run(harness.stage({ retries: 5 }, failing(5, error)), [[1]])).rejects.toBe(error);
    expect(harness.calls).toHaveLength(1);
  });

  it('retries a call that was refused for good if retryIf says so', async () => {
    const harness = new AsyncHarness();
    const refused = Object.assign(new Error('not yet there'), { status: 404 });
    const stage = harness.stage({ retries: 5, retryDelayMs: () => 1, retryIf: () => true }, failing(2, refused));
    await harness.run(stage, [[1]]);
    expect(harness.calls).toHaveLength(3);
  });

  it.each<[string, AsyncMapOptions, RegExp]>([
    [
      'retryIf throws',
      {
        retryIf: () => {
          throw new Error('bad retryIf');
        },
      },
      /bad retryIf/,
    ],
    [
      'retryDelayMs throws',
      {
        retryDelayMs: () => {
          throw new Error('bad delay');
        },
      },
      /bad delay/,
    ],
    ['retryDelayMs answers NaN', { retryDelayMs: () => Number.NaN }, /result of retryDelayMs of "step".*got NaN/],
    ['retryDelayMs answers too much', { retryDelayMs: () => 2 ** 31 }, /result of retryDelayMs.*got 2147483648/],
    ['retryDelayMs answers a string', { retryDelayMs: () => '5' as never }, /result of retryDelayMs.*got "5"/],
  ])('fails when %s', async (_name, options, message) => {
    const harness = new AsyncHarness();
    const unhandled = await unhandledDuring(async () => {
      await expect(harness.run(harness.stage({ retries: 3, ...options }, failing(3)), [[1]])).rejects.toThrow(message);
    });
    expect(unhandled).toEqual([]);
  });
});

describe('mapAsync: calls per interval', () => {
  it('starts at most that many calls in any interval of that length', async () => {
    const harness = new AsyncHarness(10);
    const stage = harness.stage({ rateLimit: { calls: 2, perMs: 100 } }, async (record) => record);
    await harness.run(stage, [[1, 2, 3, 4, 5]]);
    expect(harness.calls.map(([atMs]) => atMs)).toEqual([0, 0, 100, 100, 200]);
  });

  it('counts the interval from each call, not on a grid', async () => {
    const harness = new AsyncHarness(10);
    const stage = harness.stage({ concurrency: 1, rateLimit: { calls: 2, perMs: 100 } }, (record) =>
      harness.later(60, () => record),
    );
    await harness.run(stage, [[1, 2, 3, 4, 5]]);
    expect(harness.calls.map(([atMs]) => atMs)).toEqual([0, 60, 120, 180, 240]);
    const slower = new AsyncHarness(10);
    const fast = slower.stage({ concurrency: 1, rateLimit: { calls: 2, perMs: 100 } }, (record) =>
      slower.later(30, () => record),
    );
    await slower.run(fast, [[1, 2, 3, 4, 5]]);
    expect(slower.calls.map(([atMs]) => atMs)).toEqual([0, 30, 100, 130, 200]);
  });

  it('counts retries, and lets them go first', async () => {
    const harness = new AsyncHarness(10);
    const stage = harness.stage(
      { concurrency: 2, retries: 1, retryDelayMs: () => 1, rateLimit: { calls: 1, perMs: 10 } },
      async (record, { retry }) => {
        if (record === 1 && retry === 0) throw new Error('busy');
        return record;
      },
    );
    await harness.run(stage, [[1, 2, 3]]);
    expect(harness.calls).toEqual([
      [0, 1, 0],
      [10, 1, 1],
      [20, 2, 0],
      [30, 3, 0],
    ]);
  });

  it('holds across batches', async () => {
    const harness = new AsyncHarness(1);
    const stage = harness.stage({ rateLimit: { calls: 1, perMs: 5 } }, (record) => record);
    await harness.run(stage, inBatches([1, 2, 3], 1));
    expect(harness.calls.map(([atMs]) => atMs)).toEqual([0, 5, 10]);
  });
});

describe('mapAsync: refusals with a time to wait', () => {
  const refused = (retryMs: number): Error => Object.assign(new Error('busy'), { retryAfterMs: retryMs });

  it('pause every call, and are repeated first, without using a retry', async () => {
    const harness = new AsyncHarness();
    let refusals = 2;
    const stage = harness.stage({ concurrency: 3 }, async (record) => {
      if (record === 2 && refusals-- > 0) throw refused(100);
      return `answer ${record}`;
    });
    expect((await harness.run(stage, [[1, 2, 3, 4, 5]])).flat()).toEqual([1, 2, 3, 4, 5].map((n) => `answer ${n}`));
    expect(harness.calls.filter(([, record]) => record === 2)).toEqual([
      [0, 2, 0],
      [100, 2, 0],
      [200, 2, 0],
    ]);
    // Each record is paid once, except the refused one; nothing begins during a pause.
    expect(harness.calls).toHaveLength(7);
    for (const [atMs] of harness.calls) expect(atMs % 100).toBe(0);
  });

  it('with a time of 0: repeated at once, without using a retry, any number of times', async () => {
    const harness = new AsyncHarness();
    let refusals = 50;
    const stage = harness.stage({ concurrency: 1 }, async (record) => {
      if (refusals-- > 0) throw refused(0);
      return record;
    });
    expect((await harness.run(stage, [[1, 2]])).flat()).toEqual([1, 2]);
    expect(harness.calls).toHaveLength(52);
    expect(new Set(harness.calls.map(([atMs, , retry]) => `${atMs} ${retry}`))).toEqual(new Set(['0 0']));
  });

  it('with a time of 0, thrown synchronously: yield the thread each time, and end with the stage', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({}, () => {
      throw refused(0);
    });
    stage.push([1]);
    await harness.promises();
    stage.close();
    const made = harness.calls.length;
    expect(made).toBeLessThan(1_000);
    await harness.advance(100);
    expect(harness.calls).toHaveLength(made);
  });

  it.each([
    ['beyond a day', {}, 86_400_001],
    ['beyond maxRetryAfterMs', { maxRetryAfterMs: 500 }, 501],
  ])('with a time %s: fail, and name it', async (_, options, waitMs) => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ ...options, retries: 3 }, () => Promise.reject(refused(waitMs)));
    stage.push([1]);
    await harness.promises();
    expect(() => stage.poll()).toThrow(RetryAfterError);
    expect(() => stage.poll()).toThrow(`"retryAfterMs: ${waitMs}"`);
    expect(harness.calls).toHaveLength(1);
  });

  it('with the longest allowed time: wait', async () => {
    const harness = new AsyncHarness();
    let refusals = 1;
    const stage = harness.stage({ maxRetryAfterMs: 500 }, async (record) => {
      if (refusals-- > 0) throw refused(500);
      return record;
    });
    expect((await harness.run(stage, [[1]])).flat()).toEqual([1]);
    expect(harness.calls.map(([atMs]) => atMs)).toEqual([0, 500]);
  });

  it('count as failures if retryIf says so', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ retryIf: () => false }, () => Promise.reject(refused(100)));
    stage.push([1]);
    await harness.promises();
    expect(() => stage.poll()).toThrow('busy');
  });

  it('pause the other subtasks, and those of the next attempt', async () => {
    const [one, other, next] = [new AsyncHarness(), new AsyncHarness(), new AsyncHarness()];
    const [first] = [one, other, next].map((harness, index) => {
      Object.assign(harness, { callLimiters: one.callLimiters, environment: one.environment });
      return harness.stage({}, index === 0 ? () => Promise.reject(refused(100)) : async (record) => record);
    });
    first?.push([1]);
    await one.promises();
    first?.close();
    const stages = [other, next].map((harness) => harness.stage({}, async (record) => record));
    for (const stage of stages) stage.push([2]);
    await one.advance(99);
    expect([other.calls, next.calls]).toEqual([[], []]);
    await one.advance(1);
    expect([other.calls, next.calls]).toEqual([[[100, 2, 0]], [[100, 2, 0]]]);
  });
});

describe('mapAsync: tokens and keys', () => {
  it('tokens: calls together cost no more than the limit', async () => {
    const harness = new AsyncHarness();
    const rateLimit = { tokens: 10, perMs: 1_000, cost: (record: number) => record };
    const stage = harness.stage({ rateLimit }, async (record) => record);
    await harness.run(stage, [[4, 6, 5, 5, 10]]);
    expect(harness.calls.map(([atMs]) => atMs)).toEqual([0, 0, 1_000, 1_000, 2_000]);
  });

  it('a cost beyond the limit is an error with operator and numbers, and not an endless wait', () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ rateLimit: { tokens: 10, perMs: 1_000, cost: () => 11 } }, never);
    expect(() => stage.push([1])).toThrow(CallCostError);
    expect(() => stage.poll()).toThrow(
      /A call of "step" costs 11 tokens, but rateLimit allows 10 per 1000 ms.* Raise `tokens`/,
    );
  });

  it.each<[string, () => unknown]>([
    ['NaN', () => Number.NaN],
    ['a negative number', () => -1],
    ['a text', () => '5'],
    ['a promise', () => Promise.resolve(5)],
  ])('a cost that is %s is refused', (_, cost) => {
    const stage = new AsyncHarness().stage({ rateLimit: { tokens: 9, perMs: 1, cost: cost as () => number } }, never);
    expect(() => stage.push([1])).toThrow(/result of rateLimit.cost of "step": expected a number from 0/);
  });

  it.each([true, false])('keys: a busy key delays no other, each in order (ordered: %p)', async (ordered) => {
    const harness = new AsyncHarness(100);
    const key = (record: number): number => Math.floor(record / 100);
    const stage = harness.stage({ concurrency: 4, ordered, concurrencyPerKey: { key, limit: 1 } }, harness.byHand);
    stage.push([100, 101, 102, 103, 104, 200, 201]);
    await harness.advance(0);
    expect(harness.calls.map(([, record]) => record)).toEqual([100, 200]);
    await harness.answer(200);
    await harness.advance(0);
    await harness.answer(100);
    await harness.advance(0);
    expect(harness.calls.map(([, record]) => record)).toEqual([100, 200, 201, 101]);
    expect(stage.poll()).toEqual(ordered ? ['answer 100'] : ['answer 200', 'answer 100']);
  });

  it('AM3: records that wait for their key are bounded', async () => {
    const harness = new AsyncHarness(2);
    const stage = harness.stage({ concurrency: 3, concurrencyPerKey: { key: () => 'k', limit: 1 } }, harness.byHand);
    let asked = 0;
    const counting = new Proxy(
      Array.from({ length: 50 }, (_, at) => at),
      {
        get: (target, name) => (typeof name === 'string' && /^\d+$/.test(name) && asked++, Reflect.get(target, name)),
      },
    );
    stage.push(counting);
    await harness.advance(0);
    expect([asked, stage.isAccepting, harness.calls.length]).toEqual([6, false, 1]);
  });

  it.each(['close', 'a failure'])('AM5: %s gives back places and turns', async (how) => {
    const [one, other] = [new AsyncHarness(), new AsyncHarness()];
    Object.assign(other, { callLimiters: one.callLimiters, environment: one.environment });
    const options: AsyncMapOptions = {
      concurrencyPerKey: { key: () => 'k', limit: 1 },
      rateLimit: { calls: 1, perMs: 1_000 },
    };
    const stage = one.stage(options, one.byHand);
    stage.push([1, 2, 3]);
    await one.advance(0);
    if (how === 'close') stage.close();
    else await one.reject(1, new UnrecoverableError('no'));
    other.stage(options, other.byHand).push([4]);
    await one.advance(10_000);
    expect([one.calls.length, other.calls]).toEqual([1, [[1_000, 4, 0]]]);
  });
});

describe('mapAsync: close', () => {
  it('aborts the calls under way, even if they read their signal only afterwards', async () => {
    const harness = new StageHarness();
    const contexts: AsyncCallContext[] = [];
    const operator = {
      kind: 'asyncMap',
      fn: (_record: number, context: AsyncCallContext) => {
        contexts.push(context);
        return new Promise(() => {});
      },
      options: {},
    } as AsyncMap;
    const stage = new AsyncMapStage(operator, harness.runtime, harness);
    stage.push([1, 2]);
    const early = contexts[0]?.signal as AbortSignal;
    let heard = 0;
    early.addEventListener('abort', () => heard++);
    stage.close();
    stage.close();
    expect([early.aborted, contexts[1]?.signal.aborted, heard]).toEqual([true, true, 1]);
  });

  it('does not abort answered calls', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({}, harness.byHand);
    stage.push([1, 2]);
    await harness.answer(1);
    stage.close();
    expect(harness.signals.map(({ aborted }) => aborted)).toEqual([false, true]);
  });

  it.each<[string, AsyncMapOptions]>([
    ['limits of time', { timeoutMs: 10 }],
    ['retries that wait', { retries: 1, retryDelayMs: () => 10 }],
    ['calls held back by the rate', { rateLimit: { calls: 1, perMs: 10 } }],
  ])('leaves no timer behind: %s', async (_name, options) => {
    const harness = new AsyncHarness();
    const stage = harness.stage(options, (record) =>
      options.retries ? Promise.reject(new Error('no')) : never(record, {} as never),
    );
    stage.push([1, 2]);
    await harness.advance(0);
    expect(harness.environment.clock.timerCount).toBeGreaterThan(0);
    stage.close();
    expect(harness.environment.clock.timerCount).toBe(0);
  });

  it('AM4: late answers and rejections have no effect, wake nothing, and are never unhandled', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ concurrency: 3 }, harness.byHand);
    stage.push([1, 2, 3, 4]);
    stage.close();
    const unhandled = await unhandledDuring(async () => {
      await harness.answer(1);
      await harness.reject(2, new Error('late'));
      await harness.reject(3, 'late too');
    });
    expect([unhandled, harness.wakes, stage.poll(), harness.calls.length]).toEqual([[], 0, undefined, 3]);
  });

  it('after a failure begins nothing more, and later failures are not unhandled', async () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({ concurrency: 2 }, harness.byHand);
    stage.push([1, 2, 3]);
    const unhandled = await unhandledDuring(async () => {
      await harness.reject(1, new Error('first'));
      await harness.reject(2, new Error('second'));
    });
    expect(unhandled).toEqual([]);
    expect(() => stage.poll()).toThrow('first');
    expect(harness.calls).toHaveLength(2);
  });

  it('throws a synchronous error from push, and calls the function no more', () => {
    const harness = new AsyncHarness();
    const stage = harness.stage({}, () => {
      throw new Error('at once');
    });
    expect(() => stage.push([1, 2, 3])).toThrow('at once');
    expect(harness.calls).toHaveLength(1);
  });
});

describe('mapAsync: options', () => {
  it.each<[string, AsyncMapOptions, RegExp]>([
    ['no call at once', { concurrency: 0 }, /concurrency of "step": expected an integer from 1, got 0/],
    ['half a call', { concurrency: 1.5 }, /concurrency/],
    ['endless concurrency', { concurrency: Infinity }, /concurrency/],
    ['a word for ordered', { ordered: 'no' as never }, /ordered of "step": expected true or false, got "no"/],
    ['no time', { timeoutMs: 0 }, /timeoutMs of "step": .*above 0/],
    ['a time longer than a timer', { timeoutMs: 2 ** 31 }, /timeoutMs .*at most 2147483647, got 2147483648/],
    ['NaN', { timeoutMs: Number.NaN }, /timeoutMs/],
    ['negative retries', { retries: -1 }, /retries of "step": expected an integer from 0, got -1/],
    ['a fixed delay', { retryDelayMs: 5 as never }, /retryDelayMs of "step": expected a function, got 5/],
    ['retryIf true', { retryIf: true as never }, /retryIf/],
    ['a number for a rate', { rateLimit: 5 as never }, /rateLimit of "step": expected \{ calls, perMs \}, .*, got 5/],
    ['half a rate', { rateLimit: { calls: 5 } as never }, /rateLimit.perMs of "step"/],
    ['a rate of zero', { rateLimit: { calls: 0, perMs: 1 } }, /rateLimit.calls/],
    ['tokens without a cost', { rateLimit: { tokens: 5, perMs: 1 } as never }, /rateLimit.cost of "step": .*function/],
    ['no tokens', { rateLimit: [{ tokens: 0, perMs: 1, cost: () => 1 }] }, /rateLimit.tokens of "step": .*above 0/],
    ['a number per key', { concurrencyPerKey: 2 as never }, /concurrencyPerKey of "step": expected \{ key, limit \}/],
    ['no call per key', { concurrencyPerKey: { key: () => 1, limit: 0 } }, /concurrencyPerKey.limit/],
    ['a rate per no time', { rateLimit: { calls: 1, perMs: 0 } }, /rateLimit.perMs/],
  ])('refuses %s', (_name, options, message) => {
    expect(() => new AsyncHarness().stage(options, never)).toThrow(message);
  });

  it('treats undefined as the default', async () => {
    const harness = new AsyncHarness(100);
    const nothing = { concurrency: undefined, ordered: undefined, retries: undefined, retryIf: undefined };
    harness.stage(nothing as never, never).push(Array.from({ length: 40 }, (_, i) => i));
    expect(harness.calls).toHaveLength(16);
  });
});

it('AM1, AM2: any options, answers and failures give the results of a plain loop', async () => {
  const options = fc.record({
    concurrency: fc.integer({ min: 1, max: 6 }),
    ordered: fc.boolean(),
    rateLimit: fc.option(fc.record({ calls: fc.integer({ min: 1, max: 3 }), perMs: fc.integer({ min: 1, max: 9 }) }), {
      nil: undefined,
    }),
  });
  const answers = fc.array(
    fc.record({ delayMs: fc.integer({ min: -1, max: 8 }), failures: fc.integer({ min: 0, max: 2 }) }),
    { maxLength: 25 },
  );
  const property = fc.asyncProperty(
    options,
    answers,
    fc.integer({ min: 1, max: 7 }),
    fc.array(fc.boolean(), { minLength: 1 }),
    fc.integer({ min: 1, max: 1_000 }),
    async ({ rateLimit, ...limits }, plan, batchSize, pushes, seed) => {
      const harness = new AsyncHarness(batchSize, virtualEnvironment({ seed, order: 'shuffled' }));
      let underWay = 0;
      const fn: Fn = (record, { retry }) => {
        expect(++underWay).toBeLessThanOrEqual(limits.concurrency);
        const { delayMs, failures } = plan[record] as { delayMs: number; failures: number };
        const settle = (): string => {
          underWay--;
          if (retry < failures) throw new Error('busy');
          return `answer ${record}`;
        };
        return delayMs < 0 ? settle() : delayMs === 0 ? (async () => settle())() : harness.later(delayMs, settle);
      };
      const stage = harness.stage(
        { ...limits, ...(rateLimit && { rateLimit }), retries: 2, retryDelayMs: (retry) => retry, timeoutMs: 50 },
        fn,
      );
      const input: Batch[] = inBatches([...plan.keys()], 3);
      let step = 0;
      const results = (await harness.run(stage, input, () => pushes[step++ % pushes.length] === true)).flat();
      const expected = plan.map((_, record) => `answer ${record}`);
      expect(limits.ordered ? results : results.sort()).toEqual(limits.ordered ? expected : expected.sort());
      expect(harness.environment.clock.timerCount).toBe(0);
      if (rateLimit !== undefined) expectRate(harness.calls, rateLimit);
    },
  );
  await fc.assert(property, { numRuns: draws(60, 150) });
});

function expectRate(calls: readonly Noted[], { calls: most, perMs }: { calls: number; perMs: number }): void {
  for (let index = most; index < calls.length; index++) {
    const [[before], [now]] = [calls[index - most] as Noted, calls[index] as Noted];
    expect(now - before).toBeGreaterThanOrEqual(perMs);
  }
}
