import { type Observable, filter as rxFilter, map as rxMap } from 'rxjs';
import { forEach } from '../../src/connectors/for-each.ts';
import { fromIterable } from '../../src/connectors/from-iterable.ts';
import { PullReader } from '../../src/connectors/streams/pull-reader.ts';
import { AsyncMapStage } from '../../src/operators/calls/async-map-stage.ts';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import type { SynchronousOperator } from '../../src/operators/fused/stretches.ts';
import type { OperatorStage, StageContext } from '../../src/operators/operator-stage.ts';
import { PipeStage } from '../../src/operators/pipe-stage.ts';
import type { RuntimeContext } from '../../src/operators/runtime-context.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { testContext } from '../support/test-run.ts';
import { StageHarness } from './stage-driver.ts';

/** A thread on which functions take their time, and a note of how long each turn of it took. */
class Thread {
  nowMs = 0;
  turns: number[] = [];
  #waiting: (() => void)[] = [];
  readonly runtime: RuntimeContext;

  constructor() {
    const clock = {
      ...{ now: () => this.nowMs, epochMs: () => this.nowMs, setTimeout: () => 0, clearTimeout: () => {} },
      setImmediate: (callback: () => void) => this.#waiting.push(callback),
    };
    this.runtime = testContext(Object.assign(virtualEnvironment(), { clock }));
  }

  /** A function of the user that keeps the thread for a millisecond. */
  readonly slow = <Value>(value: Value): Value => {
    this.nowMs++;
    return value;
  };

  /** Does `action` and what follows from it without another turn; then, turn by turn, what waits. */
  async run(action: () => void, mostTurns: number): Promise<void> {
    this.#waiting.push(action);
    for (let turn = 0; turn < mostTurns && this.#waiting.length > 0; turn++) {
      const beganMs = this.nowMs;
      for (const callback of this.#waiting.splice(0)) callback();
      await virtualEnvironment().settle();
      this.turns.push(this.nowMs - beganMs);
    }
  }
}

const records = Array.from({ length: 200 }, (_, record) => record);
const mostMs = 5;

type StageOf = (thread: Thread, context: StageContext) => OperatorStage;

const fused =
  (operatorOf: (slow: Thread['slow']) => SynchronousOperator): StageOf =>
  (thread, context) =>
    new FusedChain([operatorOf(thread.slow)], context);

const calls =
  (concurrency: number, isAsync: boolean): StageOf =>
  (thread, context) => {
    const fn = isAsync ? async (record: number) => thread.slow(record) : thread.slow;
    return new AsyncMapStage({ kind: 'asyncMap', fn, options: { concurrency } } as never, thread.runtime, context);
  };

const keyOf = (record: unknown): unknown => record;

describe('slow functions leave the thread to others every few milliseconds', () => {
  it.each<[string, StageOf, number]>([
    ['map', fused((slow) => ({ kind: 'map', fn: slow })), 200],
    ['filter that keeps nothing', fused((slow) => ({ kind: 'filter', predicate: (n: number) => slow(n) < 0 })), 0],
    ['flatMap', fused((slow) => ({ kind: 'flatMap', fn: (n: number) => [slow(n), n] })), 400],
    [
      'results of an aggregate',
      fused((slow) => ({ kind: 'aggregate', keyOf, create: keyOf, add: keyOf, result: slow, emit: 'final' })),
      200,
    ],
    ['process', fused((slow) => ({ kind: 'process', keyOf, onRecord: slow })), 0],
    [
      'through',
      (thread, context) =>
        new PipeStage({ kind: 'pipe', operator: (of: Observable<unknown>) => of.pipe(rxMap(thread.slow)) }, context),
      200,
    ],
    [
      'through that keeps nothing',
      (thread, context) => {
        const operator = (of: Observable<number>): Observable<number> => of.pipe(rxFilter((n) => thread.slow(n) < 0));
        return new PipeStage({ kind: 'pipe', operator: operator as never }, context);
      },
      0,
    ],
    ['mapAsync of a promise, one at a time', calls(1, true), 200],
    ['mapAsync of a promise, many at a time', calls(100, true), 200],
    ['mapAsync of a value', calls(100, false), 200],
  ])('%s', async (_name, stageOf, expected) => {
    const thread = new Thread();
    const { clock } = thread.runtime.environment;
    const results: unknown[] = [];
    let isDue = false;
    /** As a task does, of which this is the only step in a turn. */
    const step = (): void => {
      isDue = false;
      const batch = stage.poll();
      results.push(...(batch ?? []));
      if (stage.isAccepting && rest.length > 0) stage.push(rest.splice(0, 100));
      else if (stage.isAccepting && !isEnded) {
        isEnded = true;
        stage.end();
      } else if (batch === undefined) return;
      wake();
    };
    const wake = (): void => {
      if (isDue) return;
      isDue = true;
      clock.setImmediate(step);
    };
    let isEnded = false;
    const rest = records.slice();
    const stage = stageOf(thread, Object.assign(new StageHarness(64), { clock, wake }));
    await thread.run(wake, 1_000);
    expect(stage.isDone).toBe(true);
    expect(results).toHaveLength(expected);
    expect(Math.max(...thread.turns)).toBeLessThanOrEqual(mostMs);
  });

  it('forEach', async () => {
    const thread = new Thread();
    const each = forEach(thread.slow).open(thread.runtime);
    const writer = await each;
    let isWritten = false;
    const write = (): void => void Promise.resolve(writer.write(records)).then(() => (isWritten = true));
    await thread.run(write, 1_000);
    expect([isWritten, thread.nowMs]).toEqual([true, records.length]);
    expect(Math.max(...thread.turns)).toBeLessThanOrEqual(mostMs);
  });

  it.each(['read', 'skipped'])('fromIterable: records that are %s', async (how) => {
    const thread = new Thread();
    const iterable = {
      *[Symbol.iterator]() {
        for (const record of records) yield thread.slow(record);
      },
    };
    const reader = await fromIterable(iterable).open(thread.runtime, undefined, how === 'read' ? 0 : records.length);
    for (let batch = await reader.read(1_000); batch !== null; batch = await reader.read(1_000)) {
      thread.turns.push(thread.nowMs);
    }
    expect(thread.nowMs).toBe(records.length);
    expect(Math.max(...thread.turns.map((at, turn) => at - (thread.turns[turn - 1] ?? 0)))).toBeLessThanOrEqual(mostMs);
  });

  it('fromAsyncIterable', async () => {
    const thread = new Thread();
    const iterator = records.values();
    const pulled = { next: async () => thread.slow(iterator.next()), stop: () => {} };
    const reader = new PullReader<number>(pulled, thread.runtime.environment.clock);
    const read: number[] = [];
    const readOn = (): void => {
      void reader.read(1_000).then((batch) => {
        if (batch === null) return;
        read.push(...batch);
        thread.runtime.environment.clock.setImmediate(readOn);
      });
    };
    await thread.run(readOn, 1_000);
    expect(read).toEqual(records);
    expect(Math.max(...thread.turns)).toBeLessThanOrEqual(mostMs);
  });
});
