import fc from 'fast-check';
import { bufferCount, concatMap, delay, interval, mergeMap, type Observable, of, scan, take } from 'rxjs';
import type { AttemptNumber, RunId } from '../../src/ids.ts';
import { createOperatorChain } from '../../src/operators/task/operator-chain.ts';
import type { KeyedProcessContext, OperatorDescription } from '../../src/operators/operator-description.ts';
import type { OperatorStage } from '../../src/operators/operator-stage.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { draws } from '../support/draws.ts';
import { inBatches, StageHarness } from './stage-driver.ts';

const chainOf = (harness: StageHarness, ...operators: OperatorDescription[]): OperatorStage =>
  createOperatorChain(operators, harness.runtime, harness);

const map = (fn: (n: number) => unknown): OperatorDescription => ({ kind: 'map', fn });
const pipe = (operator: (source: Observable<number>) => Observable<unknown>): OperatorDescription =>
  ({ kind: 'pipe', operator }) as unknown as OperatorDescription;
const mapAsync = (fn: (n: number, context: { signal: AbortSignal }) => unknown): OperatorDescription =>
  ({ kind: 'asyncMap', fn, options: { concurrency: 2 } }) as OperatorDescription;
const sum = (keyOf: (n: number) => unknown, emit: 'final' | 'updates' = 'final'): OperatorDescription => ({
  kind: 'aggregate',
  keyOf,
  create: (n: number) => n,
  add: (total: number, n: number) => total + n,
  result: (total: number) => total,
  emit,
});

describe('an operator chain', () => {
  it('without operators passes batches on unchanged', () => {
    const chain = chainOf(new StageHarness());
    const batch = [1, 2, 3, 4, 5, 6];
    chain.push(batch);
    expect(chain.isAccepting).toBe(false);
    chain.end();
    expect(chain.isDone).toBe(false);
    expect(chain.poll()).toBe(batch);
    expect([chain.poll(), chain.isDone]).toEqual([undefined, true]);
  });

  it('bounds the records under way: accepts no batch that no stage can take', () => {
    const harness = new StageHarness(2);
    let mapped = 0;
    const counted = map((n) => {
      mapped++;
      return n;
    });
    const chain = chainOf(
      harness,
      counted,
      mapAsync(() => new Promise(() => {})),
      counted,
    );
    for (let turn = 0; turn < 100; turn++) {
      if (chain.isAccepting) chain.push([1, 2]);
      chain.poll();
    }
    // Two calls under way, a batch before them, a batch before that.
    expect(mapped).toBe(6);
  });

  it('SC1: tells each stage of its end once, when the stage before it is done', async () => {
    const harness = new StageHarness(2);
    const chain = chainOf(
      harness,
      sum((n) => n % 3),
      mapAsync(async (n) => n * 10),
      pipe(bufferCount(2)),
      mapAsync(async (pair) => pair),
    );
    expect((await harness.run(chain, inBatches([1, 2, 3, 4, 5], 2))).flat()).toEqual([[50, 70], [30]]);
  });

  it.each(['first', 'second', 'last'])('ends with a pipe that ends early as the %s', async (place) => {
    const harness = new StageHarness(2);
    const read: number[] = [];
    const reading = (function* () {
      for (let n = 1; ; n++) {
        read.push(n);
        yield n;
      }
    })();
    const steps = {
      first: [pipe(take(3)), mapAsync(async (n) => n), sum(() => 'all')],
      second: [mapAsync(async (n) => n), pipe(take(3)), sum(() => 'all')],
      last: [mapAsync(async (n) => n), sum(() => 'all', 'updates'), pipe(take(3))],
    }[place] as OperatorDescription[];
    const chain = chainOf(harness, ...steps);
    const results: unknown[] = [];
    for (let turn = 0; turn < 50 && !chain.isDone; turn++) {
      results.push(...harness.pollAll(chain).flat());
      if (chain.isAccepting && !chain.isDone) chain.push([reading.next().value, reading.next().value]);
      await harness.environment.settle();
    }
    expect(chain.isDone).toBe(true);
    expect(results.at(-1)).toBe(6);
    expect(read.length).toBeLessThanOrEqual(8);
  });

  it('SC2: closes the stages before a pipe that ended early: calls are aborted, timers removed', () => {
    const harness = new StageHarness(4);
    const signals = new Map<number, AbortSignal>();
    const late = delay<number>(1e6, harness.environment.scheduler);
    const chain = chainOf(
      harness,
      pipe(mergeMap((n) => (n === 2 ? of(n).pipe(late) : of(n)))),
      mapAsync((n, { signal }) => {
        signals.set(n, signal);
        return n === 1 ? n : new Promise(() => {});
      }),
      pipe(take(1)),
      map((n) => n),
    );
    chain.push([1, 2, 3]);
    expect(harness.environment.clock.timerCount).toBe(1);
    expect(harness.pollAll(chain)).toEqual([[1]]);
    expect([chain.isDone, chain.isAccepting]).toEqual([true, false]);
    expect([...signals].map(([n, { aborted }]) => [n, aborted])).toEqual([
      [1, false],
      [3, true],
    ]);
    expect(harness.environment.clock.timerCount).toBe(0);
  });

  it('SC2: begins no call for a pipe that ended early', () => {
    const harness = new StageHarness(1);
    const called: number[] = [];
    const counted = mapAsync((n) => called.push(n));
    const chain = chainOf(harness, counted, pipe(take(1)));
    chain.push(Array.from({ length: 20 }, (_, i) => i));
    const calledBefore = called.length;
    expect(chain.poll()).toEqual([1]);
    expect([chain.poll(), chain.isDone]).toEqual([undefined, true]);
    // Taking the one result makes room for one call.
    expect(called.length).toBe(calledBefore + 1);
  });

  it('is compiled anew for another run or attempt, so that V8 learns what is true of it alone', () => {
    const harness = new StageHarness();
    const compiled = (about: { readonly run?: RunId; readonly attempt?: AttemptNumber }): string => {
      let text: unknown;
      const construct = (target: FunctionConstructor, values: string[]): object => {
        text = values.at(-1);
        return Reflect.construct(target, values) as object;
      };
      const own = Function;
      globalThis.Function = new Proxy(own, { construct });
      try {
        createOperatorChain([sum((n) => n)], { ...harness.runtime, ...about }, harness).close();
      } finally {
        globalThis.Function = own;
      }
      return text as string;
    };
    const here = { run: 'one' as RunId, attempt: 0 as AttemptNumber };
    expect(compiled(here)).toContain('function loop');
    expect(compiled(here)).toBe(compiled(here));
    expect(compiled(here)).not.toBe(compiled({ ...here, run: 'two' as RunId }));
    expect(compiled(here)).not.toBe(compiled({ ...here, attempt: 1 as AttemptNumber }));
    // It cannot end the comment that it is in.
    expect(() => compiled({ ...here, run: 'one\n!' as RunId })).not.toThrow();
  });

  it('closes every stage', () => {
    const harness = new StageHarness(2);
    let signal: AbortSignal | undefined;
    const ticking = pipe(() => interval(10, harness.environment.scheduler));
    const calling = mapAsync((_n, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    const chain = chainOf(harness, calling, ticking, ticking);
    chain.push([1]);
    chain.close();
    chain.close();
    expect([signal?.aborted, harness.environment.clock.timerCount]).toEqual([true, 0]);
  });

  it('fails if a step cannot be opened, and closes the opened ones', () => {
    const harness = new StageHarness();
    const ticking = pipe(() => interval(10, harness.environment.scheduler));
    const broken = pipe(() => {
      throw new Error('no such pipe');
    });
    const chain = chainOf(
      harness,
      ticking,
      map((n) => n),
      broken,
    );
    expect(() => chain.poll()).toThrow('no such pipe');
    expect(chain.blame).toEqual({ operator: 2 });
    chain.close();
    expect(harness.environment.clock.timerCount).toBe(0);
  });

  it.each<[string, OperatorDescription]>([
    [
      'a map',
      map(() => {
        throw new Error('bad step');
      }),
    ],
    [
      'a call',
      mapAsync(async () => {
        throw new Error('bad step');
      }),
    ],
    [
      'a pipe',
      pipe(
        concatMap(() => {
          throw new Error('bad step');
        }),
      ),
    ],
  ])('throws the error of %s in the middle', async (_name, broken) => {
    const harness = new StageHarness();
    const chain = chainOf(
      harness,
      pipe(scan((all, n) => all + n, 0)),
      broken,
      mapAsync(async (n) => n),
    );
    await expect(harness.run(chain, [[1]])).rejects.toThrow('bad step');
  });
});

/** An operator, and its effect on a whole input. */
interface Step {
  readonly name: string;
  readonly operator: OperatorDescription;
  readonly oracle: (input: readonly number[]) => number[];
}

function groups(input: readonly number[], by: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const n of input) found.set(n % by, [...(found.get(n % by) ?? []), n]);
  return found;
}

const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) % 10_007;

const sumStep = (by: number, emit: 'final' | 'updates'): Step => ({
  name: `sum(${by}, ${emit})`,
  operator: {
    kind: 'aggregate',
    keyOf: (n: number) => n % by,
    create: (n: number) => ({ sum: n }),
    add: (cell: { sum: number }, n: number) => {
      cell.sum += n;
      return cell;
    },
    result: ({ sum: all }: { sum: number }) => all % 10_007,
    emit,
  },
  oracle: (input) =>
    emit === 'final'
      ? [...groups(input, by).values()].map(total)
      : input.map((n, index) => total(input.slice(0, index + 1).filter((other) => other % by === n % by))),
});

/** Emits every second record of a key with the previous one; at the end, the unpaired ones. */
const pairStep = (by: number): Step => ({
  name: `pairs(${by})`,
  operator: {
    kind: 'process',
    keyOf: (n: number) => n % by,
    onRecord: (n: number, state: KeyedProcessContext<number, number>, emit: (out: unknown) => void) => {
      const before = state.get();
      if (before === undefined) {
        state.set(n);
        return;
      }
      emit(before);
      emit(n);
      state.clear();
    },
    onEnd: (state: KeyedProcessContext<number, number>, emit: (out: unknown) => void) => emit(state.get()),
  },
  oracle: (input) => {
    const waiting = new Map<number, number>();
    const out: number[] = [];
    for (const n of input) {
      const before = waiting.get(n % by);
      if (before === undefined) waiting.set(n % by, n);
      else {
        out.push(before, n);
        waiting.delete(n % by);
      }
    }
    return [...out, ...waiting.values()];
  },
});

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 0, max: 9 }).map((by): Step => {
    const fn = (n: number): number => (n * 3 + by) % 10_007;
    return { name: `map(${by})`, operator: map(fn as never), oracle: (input) => input.map((n) => fn(n)) };
  }),
  fc.integer({ min: 2, max: 4 }).map((by): Step => {
    const predicate = (n: number): boolean => n % by !== 0;
    return {
      name: `filter(${by})`,
      operator: { kind: 'filter', predicate },
      oracle: (input) => input.filter(predicate),
    };
  }),
  fc.integer({ min: 1, max: 4 }).map((by): Step => {
    const fn = (n: number): number[] => Array.from({ length: n % by }, (_, index) => n + index);
    return { name: `flatMap(${by})`, operator: { kind: 'flatMap', fn }, oracle: (input) => input.flatMap(fn) };
  }),
  fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom('final', 'updates')).map(([by, emit]) => sumStep(by, emit)),
  fc.integer({ min: 1, max: 5 }).map(pairStep),
  fc.integer({ min: 1, max: 3 }).map(
    (by): Step => ({
      name: `mapAsync(${by})`,
      operator: mapAsync((n) => (n % by === 0 ? n + 1 : Promise.resolve(n + 1))),
      oracle: (input) => input.map((n) => n + 1),
    }),
  ),
  fc.integer({ min: 1, max: 4 }).map(
    (size): Step => ({
      name: `buffers(${size})`,
      operator: pipe((source) =>
        source.pipe(
          bufferCount(size),
          mergeMap((buffer) => [...buffer].reverse()),
        ),
      ),
      oracle: (input) => inBatches(input, size).flatMap((batch) => [...(batch as number[])].reverse()),
    }),
  ),
  fc.integer({ min: 1, max: 20 }).map(
    (count): Step => ({
      name: `take(${count})`,
      operator: pipe(take(count)),
      oracle: (input) => input.slice(0, count),
    }),
  ),
);

it('yields the results of the same operators over arrays, for any operators, batches and order of polls and pushes', async () => {
  const property = fc.asyncProperty(
    fc.array(steps, { maxLength: 6 }),
    fc.array(fc.integer({ min: 0, max: 999 }), { maxLength: 40 }),
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 9 }),
    fc.array(fc.boolean(), { minLength: 1 }),
    async (chosen, input, inputSize, batchSize, pushes) => {
      const harness = new StageHarness(batchSize, virtualEnvironment());
      const chain = chainOf(harness, ...chosen.map(({ operator }) => operator));
      let turn = 0;
      const results = await harness.run(
        chain,
        inBatches(input, inputSize),
        () => pushes[turn++ % pushes.length] === true,
      );
      const expected = chosen.reduce<readonly number[]>((records, { oracle }) => oracle(records), input);
      expect(results.flat()).toEqual(expected);
      const most = chosen.length === 0 ? inputSize : batchSize;
      for (const { length } of results) expect(length > 0 && length <= most).toBe(true);
    },
  );
  await fc.assert(property, { numRuns: draws(150, 400) });
});
