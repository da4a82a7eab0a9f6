import fc from 'fast-check';
import { filter, map as mapEach, mergeMap, type OperatorFunction } from 'rxjs';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import type {
  AsyncMapOptions,
  KeyedProcessContext,
  OperatorDescription,
} from '../../src/operators/operator-description.ts';
import type { OperatorStage } from '../../src/operators/operator-stage.ts';
import type { StageState } from '../../src/operators/state/stage-state.ts';
import { createOperatorChain } from '../../src/operators/task/operator-chain.ts';
import type { Batch } from '../../src/partitions/stream-element.ts';
import { inBatches, StageHarness } from './stage-driver.ts';

const map = (fn: (n: number) => unknown): OperatorDescription => ({ kind: 'map', fn });
const repeat = (times: number): OperatorDescription => ({
  kind: 'flatMap',
  fn: (n: number) => Array.from({ length: times }, () => n),
});
const evens: OperatorDescription = { kind: 'filter', predicate: (n: number) => n % 2 === 0 };

/** Collects the records of a key in a list, which it changes in place. */
const gather = (keys: number, emit: 'final' | 'updates' | 'partial'): OperatorDescription => ({
  kind: 'aggregate',
  keyOf: (n: number) => n % keys,
  create: (n: number) => [n],
  add: (list: number[], n: number) => {
    list.push(n);
    return list;
  },
  result: (list: number[]) => list.reduce((sum, n) => sum + n, 0),
  emit,
});

/** Counts per key, and sometimes clears a key; emits the rest at the end. */
const count: OperatorDescription = {
  kind: 'process',
  keyOf: (n: number) => n % 5,
  onRecord: (n: number, context: KeyedProcessContext<number, { seen: number }>, emit: (out: unknown) => void) => {
    const state = context.get() ?? { seen: 0 };
    state.seen++;
    if (state.seen === 4) context.clear();
    else context.set(state);
    emit(n * 10 + state.seen);
  },
  onEnd: (context: KeyedProcessContext<number, { seen: number }>, emit: (out: unknown) => void) => {
    emit(1_000 + context.key * 10 + (context.get()?.seen ?? 0));
  },
};

/** Calls that take time, later ones less, or answer synchronously. */
const call = (harness: StageHarness, options: AsyncMapOptions<number> = {}): OperatorDescription =>
  ({
    kind: 'asyncMap',
    fn: (n: number) => {
      if (n % 4 === 3) return n + 1;
      return new Promise((resolve) => harness.environment.clock.setTimeout(() => resolve(n + 1), (97 - n) % 7));
    },
    options: { concurrency: 3, ...options },
  }) as OperatorDescription;

const statelessPipe = (operator: OperatorFunction<number, number>): OperatorDescription =>
  ({ kind: 'pipe', operator, isStateless: true }) as unknown as OperatorDescription;

const chains: [name: string, operators: (harness: StageHarness) => OperatorDescription[], isOrdered: boolean][] = [
  ['no operator', () => [], true],
  ['map and filter', () => [map((n) => n + 1), evens], true],
  ['a flatMap of many', () => [repeat(11), map((n) => n + 1)], true],
  ['an aggregate', () => [gather(7, 'final')], true],
  ['an aggregate with updates', () => [gather(3, 'updates')], true],
  ['a partial aggregate', () => [gather(7, 'partial'), map((n) => n + 1)], true],
  ['process', () => [count], true],
  [
    'all of them',
    () => [map((n) => n + 1), gather(3, 'updates'), repeat(2), count, gather(13, 'final'), map((n) => n * 2)],
    true,
  ],
  [
    'a pipe that is stateless',
    () => [statelessPipe(mergeMap((n) => [n, n + 1, n + 2])), statelessPipe(filter((n) => n % 2 === 0))],
    true,
  ],
  ['mapAsync', (harness) => [call(harness)], true],
  ['mapAsync, as answers come', (harness) => [call(harness, { ordered: false })], false],
  [
    'mapAsync, with calls per key',
    (harness) => [call(harness, { concurrencyPerKey: { key: (n) => n % 2, limit: 1 } })],
    true,
  ],
  [
    'mapAsync among others',
    (harness) => [repeat(2), call(harness), gather(5, 'updates'), call(harness), count, gather(4, 'final')],
    true,
  ],
];

const records = Array.from({ length: 30 }, (_, n) => n);

/** Drives a chain like a task; `onStep` may replace it by another. Returns the results. */
async function drive(
  harness: StageHarness,
  first: OperatorStage,
  input: readonly Batch[],
  onStep: (stage: OperatorStage, pushed: number, hasEnded: boolean) => OperatorStage | Promise<OperatorStage> = (
    stage,
  ) => stage,
  start: { readonly pushed: number; readonly hasEnded: boolean } = { pushed: 0, hasEnded: false },
): Promise<unknown[]> {
  let [stage, { pushed, hasEnded }] = [first, start];
  const results: unknown[] = [];
  for (;;) {
    stage = await onStep(stage, pushed, hasEnded);
    const wakesBefore = harness.wakes;
    const batch = stage.poll();
    if (batch !== undefined) results.push(...batch);
    else if (stage.isDone) return results;
    else if (pushed < input.length && stage.isAccepting) stage.push(input[pushed++] as Batch);
    else if (pushed === input.length && !hasEnded && stage.isAccepting) {
      hasEnded = true;
      stage.end();
    } else await harness.environment.runUntil(() => harness.wakes > wakesBefore, { what: 'a wake' });
  }
}

function stateOf(stage: OperatorStage): StageState {
  const snapshot = stage.snapshot();
  if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
  return snapshot.state;
}

const sorted = (results: readonly unknown[]): unknown[] => results.toSorted((a, b) => (a as number) - (b as number));

describe.each(chains)('the state of %s', (_, operatorsOf, isOrdered) => {
  const setUp = (batchSize: number) => {
    const harness = new StageHarness(batchSize);
    const create = () => createOperatorChain(operatorsOf(harness), harness.runtime, harness);
    return { harness, create };
  };

  const undisturbed = (batchSize: number, input: readonly Batch[]): Promise<unknown[]> => {
    const { harness, create } = setUp(batchSize);
    return drive(harness, create(), input);
  };

  it('continues in another chain as if nothing had happened, at any step', async () => {
    const input = inBatches(records, 4);
    const expected = await undisturbed(4, input);
    let steps = 0;
    for (let swapAt = 0; swapAt <= steps; swapAt++) {
      const { harness, create } = setUp(4);
      let step = 0;
      const results = await drive(harness, create(), input, async (stage, pushed, hasEnded) => {
        if (step++ !== swapAt) return stage;
        const state = stateOf(stage);
        // Later work of the old chain does not change the snapshot.
        await drive(harness, stage, input, undefined, { pushed, hasEnded });
        const next = create();
        next.restore(structuredClone(state));
        // Its first stage is done, and accepts no more.
        if (state.kind === 'chain' && state.done > 0) expect(next.isAccepting).toBe(false);
        return next;
      });
      steps = Math.max(steps, step);
      expect(isOrdered ? results : sorted(results)).toEqual(isOrdered ? expected : sorted(expected));
    }
    expect(steps).toBeGreaterThan(10);
  });

  it('property: any number of times, in any batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.boolean(), { maxLength: 40 }),
        async (batchSize, inputSize, swaps) => {
          const input = inBatches(records, inputSize);
          const { harness, create } = setUp(batchSize);
          let step = 0;
          const results = await drive(harness, create(), input, (stage) => {
            if (swaps[step++] !== true) return stage;
            const state = stateOf(stage);
            stage.close();
            const next = create();
            next.restore(state);
            return next;
          });
          expect(sorted(results)).toEqual(sorted(await undisturbed(batchSize, input)));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('may be restored twice', async () => {
    const input = inBatches(records, 4);
    const { harness, create } = setUp(4);
    const stage = create();
    stage.push(input[0] as Batch);
    const state = stateOf(stage);
    stage.close();
    const outcomes: unknown[] = [];
    for (let time = 0; time < 2; time++) {
      const next = create();
      next.restore(state);
      outcomes.push(sorted(await drive(harness, next, input.slice(1))));
    }
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[0]).toEqual(sorted(await undisturbed(4, input)));
  });
});

describe('the state of calls', () => {
  /** Three calls, the second of which is answered; returns the calls. */
  const answered = (ordered: boolean) => {
    const harness = new StageHarness(4);
    const called: number[] = [];
    const operator = {
      kind: 'asyncMap',
      fn: (n: number) => {
        called.push(n);
        return n === 1 ? 'one' : new Promise((resolve) => harness.environment.clock.setTimeout(() => resolve(n), 5));
      },
      options: { concurrency: 3, ordered },
    } as OperatorDescription;
    const create = () => createOperatorChain([operator], harness.runtime, harness);
    const stage = create();
    stage.push([0, 1, 2, 3]);
    const state = stateOf(stage);
    stage.close();
    called.length = 0;
    const next = create();
    next.restore(state);
    return { harness, next, called };
  };

  it.each([true, false])('ordered %s: repeats calls in flight, and not the answered ones', async (ordered) => {
    const { harness, next, called } = answered(ordered);
    const results = await drive(harness, next, [[4]]);
    expect(called).toEqual([0, 2, 3, 4]);
    expect(results).toHaveLength(5);
    expect(ordered ? results : new Set(results)).toEqual(ordered ? [0, 'one', 2, 3, 4] : new Set([0, 'one', 2, 3, 4]));
  });

  it.each([true, false])('ordered %s: names no wrong record for restored results', async (ordered) => {
    const { harness, next } = answered(ordered);
    const results = await drive(harness, next, [[4], [5]]);
    const origins = [4, 5, 0, 'one', 3].map((result) => next.originOf(results.indexOf(result)));
    expect(origins).toEqual([...(ordered ? [0, 1] : [undefined, undefined]), undefined, undefined, undefined]);
  });
});

describe('a state that a chain cannot capture', () => {
  class Point {
    readonly x = 1;
  }
  const uids = ['first', 'second', 'third'];
  const snapshotOf = (operators: OperatorDescription[], batch: Batch) => {
    const harness = new StageHarness(4);
    const chain = createOperatorChain(operators, harness.runtime, {
      batchSize: 4,
      batchBytes: 1_000,
      callLimiters: harness.callLimiters,
      wake: harness.wake,
      uids,
    });
    chain.push(batch);
    return chain.snapshot();
  };
  const keepPoint = {
    ...gather(2, 'final'),
    create: () => ({ at: new Point() }),
    add: (kept: object) => kept,
  } as OperatorDescription;
  const setFunction = {
    ...count,
    onRecord: (_n: number, { set }: KeyedProcessContext<number, unknown>) => set({ fn: () => 1 }),
  } as OperatorDescription;
  const pipe = { kind: 'pipe', operator: mapEach((n: number) => n) } as unknown as OperatorDescription;
  const callForPoint = { kind: 'asyncMap', fn: () => new Point(), options: {} } as OperatorDescription;

  it.each<[what: string, operators: OperatorDescription[], reason: string]>([
    [
      'a pipe',
      [map((n) => n), pipe],
      '"second" is an RxJS pipe, whose state cannot be captured. If it keeps nothing from record to record, declare it: through(…, { stateless: true })',
    ],
    [
      'an accumulator of a class',
      [evens, keepPoint],
      '"second" has a state that is not plain data: $.at is an instance of Point. Keep plain data, or give a state of `process` a `serializer`',
    ],
    [
      'a state with a function',
      [setFunction],
      '"first" has a state that is not plain data: $.fn is a function. Keep plain data, or give a state of `process` a `serializer`',
    ],
    [
      'an answer of a class',
      [callForPoint],
      '"first" has a state that is not plain data: $ is an instance of Point. Keep plain data, or give a state of `process` a `serializer`',
    ],
  ])('is absent, and says why: %s', (_, operators, reason) => {
    expect(snapshotOf(operators, [0, 2])).toEqual({ kind: 'absent', reason });
  });

  it('is refused by a chain of other operators', () => {
    const harness = new StageHarness(4);
    const shapes = [[], [map((n) => n)], [gather(2, 'final')], [count], [call(harness)], [call(harness), count]];
    const chainOf = (operators: OperatorDescription[]) => createOperatorChain(operators, harness.runtime, harness);
    for (const [from, operators] of shapes.entries()) {
      const state = stateOf(chainOf(operators));
      for (const [to, others] of shapes.entries()) {
        const restore = () => chainOf(others).restore(state);
        if (from === to) expect(restore).not.toThrow();
        else {
          expect(restore).toThrow(IllegalStateError);
          expect(restore).toThrow(
            /A checkpoint has the state of .+, where the job has .+\. Undo the change of its operators, or begin/,
          );
        }
      }
    }
    expect(() => chainOf([pipe]).restore(stateOf(chainOf([])))).toThrow(IllegalStateError);
  });
});
