import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import type { KeyedProcessContext } from '../../src/operators/operator-description.ts';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import type { SynchronousOperator } from '../../src/operators/fused/stretches.ts';
import { bundledCode } from '../support/bundled-script.ts';
import type { StageState } from '../../src/operators/state/stage-state.ts';
import { loopKinds } from './loop-kinds.ts';
import { inBatches, StageHarness } from './stage-driver.ts';

const map = (fn: (record: number) => unknown): SynchronousOperator => ({ kind: 'map', fn });
const filter = (predicate: (record: number) => boolean): SynchronousOperator => ({ kind: 'filter', predicate });
const flatMap = (fn: (record: number) => Iterable<unknown>): SynchronousOperator => ({ kind: 'flatMap', fn });

/** The accumulator per key, and how it was computed. */
const trace = (emit: 'final' | 'updates', keyOf = (record: number): unknown => record % 2): SynchronousOperator => ({
  kind: 'aggregate',
  keyOf,
  create: (record: number) => `create ${record}`,
  add: (sofar: string, record: number) => `${sofar} + ${record}`,
  result: (sofar: string, key: unknown) => `${String(key)}: ${sofar}`,
  emit,
});

describe.each(loopKinds)('a fused chain by %s', (_, compile) => {
  const run = async (operators: SynchronousOperator[], input: unknown[], batchSize = 3): Promise<unknown[][]> => {
    const harness = new StageHarness(batchSize);
    const results = await harness.run(new FusedChain(operators, harness, compile), inBatches(input, batchSize));
    return results.map((batch) => [...batch]);
  };

  it.each<[string, SynchronousOperator[], unknown[], unknown[]]>([
    ['map', [map((n) => n * 2)], [1, 2], [2, 4]],
    ['map to undefined', [map(() => undefined)], [1], [undefined]],
    ['filter', [filter((n) => n > 1)], [1, 2, 3], [2, 3]],
    ['flatMap of an array', [flatMap((n) => [n, -n])], [1, 2], [1, -1, 2, -2]],
    ['flatMap of a string', [flatMap((n) => String(n))], [12], ['1', '2']],
    [
      'flatMap of a generator',
      [
        flatMap(function* (n) {
          for (let i = 0; i < n; i++) yield i;
        }),
      ],
      [0, 2, 1],
      [0, 1, 0],
    ],
    [
      'a filter in a flatMap in a flatMap skips the innermost record only',
      [flatMap((n) => [n, n + 1]), filter((n) => n !== 2), flatMap((n) => [n, n * 10]), filter((n) => n !== 10)],
      [1, 2],
      [1, 3, 30],
    ],
    ['the same function twice', ((twice) => [map(twice), map(twice)])((n: number) => n * 2), [1], [4]],
  ])('%s', async (_name, operators, input, expected) => {
    expect((await run(operators, input)).flat()).toEqual(expected);
  });

  it('creates an accumulator from the first record of a key, which is not added again', async () => {
    expect((await run([trace('final')], [1, 2, 3, 5])).flat()).toEqual(['1: create 1 + 3 + 5', '0: create 2']);
  });

  it('emits updates for each record, at once', async () => {
    const harness = new StageHarness();
    const chain = new FusedChain([trace('updates')], harness, compile);
    chain.push([1, 2, 3]);
    expect(harness.pollAll(chain)).toEqual([['1: create 1', '0: create 2', '1: create 1 + 3']]);
    chain.end();
    expect(harness.pollAll(chain)).toEqual([]);
    expect(chain.isDone).toBe(true);
  });

  it('emits final results only at the end', () => {
    const harness = new StageHarness();
    const chain = new FusedChain([trace('final')], harness, compile);
    chain.push([1, 2, 3]);
    expect(chain.isAccepting).toBe(true);
    expect(harness.pollAll(chain)).toEqual([]);
    chain.end();
    expect(chain.isDone).toBe(false);
    expect(harness.pollAll(chain)).toHaveLength(1);
    expect(chain.isDone).toBe(true);
  });

  it('FC2: sends final results through the operators after it, before those end', async () => {
    const sum = (keyOf: (record: number) => unknown): SynchronousOperator => ({
      kind: 'aggregate',
      keyOf,
      create: (record: number) => record,
      add: (total: number, record: number) => total + record,
      result: (total: number) => total,
      emit: 'final',
    });
    const operators = [sum((n) => n % 5), map((n) => n + 1), sum((n) => n % 2), map((n) => n * 100)];
    // Sums by remainder: 20 1 2 3 4; plus one: 21 2 3 4 5; sums of the odd and of the even ones: 29 6.
    expect((await run(operators, [0, 1, 2, 3, 4, 5, 5, 5, 5], 2)).flat()).toEqual([2900, 600]);
  });

  describe('of a partial aggregate', () => {
    const keyOf = (n: number) => (n % 3 === 0 ? n % 30 : n);
    const partial: SynchronousOperator = {
      kind: 'aggregate',
      keyOf,
      create: (n: number) => [n],
      add: (list: number[], n: number) => {
        list.push(n);
        return list;
      },
      result: (accumulator: number[], key: number) => ({ key, accumulator }),
      emit: 'partial',
    };
    type Result = { key: number; accumulator: number[] };
    const grouped = <Item>(items: readonly Item[], of: (item: Item) => number): Map<number, Item[]> => {
      const groups = new Map<number, Item[]>();
      for (const item of items) {
        const group = groups.get(of(item));
        if (group === undefined) groups.set(of(item), [item]);
        else group.push(item);
      }
      return groups;
    };
    const few = Array.from({ length: 1_000 }, (_, n) => 3 * n);
    const many = Array.from({ length: 230_000 }, (_, n) => n);

    it('has one result per key, at the end, if there are few keys', async () => {
      const results = (await run([partial], few, 100)).flat() as Result[];
      expect(results.map(({ key }) => key)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
      expect(results.flatMap(({ accumulator }) => accumulator).length).toBe(few.length);
    });

    it('folds the records of a key in their order, whatever the number of keys', async () => {
      const results = (await run([partial], many, 1_000)).flat() as Result[];
      const byKey = grouped(results, ({ key }) => key);
      const folded = [...byKey.values()].map((ofKey) => ofKey.flatMap(({ accumulator }) => accumulator));
      const expected = [...grouped(many, keyOf).values()];
      const byFirst = (a: number[], b: number[]): number => (a[0] as number) - (b[0] as number);
      expect(folded.sort(byFirst)).toEqual(expected.sort(byFirst));
      // The hot keys are folded: two results each, because all keys were chosen anew once.
      expect(byKey.get(27)).toHaveLength(2);
      expect(byKey.get(29)).toHaveLength(1);
    });

    it('has the same results in any batches, also after flatMap', async () => {
      const twice = [flatMap((n) => [n, n + 1]), partial];
      const [small, large] = [await run(twice, many, 13), await run(twice, many, 1_024)];
      expect(small.flat()).toEqual(large.flat());
    });

    it('holds a bounded number of accumulators', () => {
      const harness = new StageHarness(1_000);
      const chain = new FusedChain([partial], harness, compile);
      let passed = 0;
      for (const batch of inBatches(many, 1_000)) {
        chain.push(batch);
        for (const results of harness.pollAll(chain)) passed += results.length;
      }
      chain.end();
      const left = harness.pollAll(chain).flat() as Result[];
      expect(left.length).toBe(8_192);
      expect(passed).toBeGreaterThan(100_000);
    });

    it('continues from its state as if nothing had happened', () => {
      const harness = new StageHarness(1_000);
      const results: unknown[][] = [[], []];
      for (const [index, isRestored] of [false, true].entries()) {
        let chain = new FusedChain([partial], harness, compile);
        for (const [at, batch] of inBatches(many, 1_000).entries()) {
          if (isRestored && at === 100) {
            const { state } = chain.snapshot() as { state: StageState };
            chain = new FusedChain([partial], harness, compile);
            chain.restore(structuredClone(state));
          }
          chain.push(batch);
          results[index]?.push(...harness.pollAll(chain).flat());
        }
        chain.end();
        results[index]?.push(...harness.pollAll(chain).flat());
      }
      expect(results[1]).toEqual(results[0]);
    });

    it('refuses a promise, and what is no key', async () => {
      const promised = { ...partial, create: async () => [] } as SynchronousOperator;
      await expect(run([promised], [1])).rejects.toThrow(InvalidArgumentError);
      await expect(run([{ ...partial, keyOf: () => ({}) } as SynchronousOperator], [1])).rejects.toThrow();
    });
  });

  it.each([
    ['undefined', () => undefined],
    ['null', () => null],
    ['NaN', () => Number.NaN],
    ['a negative zero', (n: number) => (n > 0 ? 0 : -0)],
    ['false', () => false],
    ['a bigint', () => 12n],
    ['an empty string', () => ''],
  ])('treats %s as one key', async (_name, keyOf) => {
    const [results] = await run([trace('final', keyOf)], [-1, 1, 2]);
    expect(results).toHaveLength(1);
  });

  it('keeps keys of different types apart', async () => {
    const keys = [0, '0', 0n, false, null, undefined, '', 'null', Number.NaN];
    const results = await run([trace('final', (index) => keys[index])], [...keys.keys()]);
    expect(results.flat()).toHaveLength(keys.length);
  });

  it.each([
    ['an object', {}],
    ['an array', [1]],
    ['a function', () => {}],
    ['a symbol', Symbol('s')],
  ])('refuses %s as a key, with operator and remedy', (_name, key) => {
    const chain = new FusedChain([trace('final', () => key)], new StageHarness(), compile);
    expect(() => chain.push([1])).toThrow(InvalidArgumentError);
    expect(() => chain.push([1])).toThrow(/key of aggregate: .*build one string/);
  });

  it.each([undefined, null, Number.NaN, -0, 0, ''])('keeps the accumulator %p unchanged', async (value) => {
    const seen: unknown[] = [];
    const operator: SynchronousOperator = {
      kind: 'aggregate',
      keyOf: () => 'k',
      create: () => value,
      add: (accumulator: unknown) => {
        seen.push(accumulator);
        return value === 0 ? -(accumulator as number) : accumulator;
      },
      result: (accumulator: unknown) => accumulator,
      emit: 'updates',
    };
    const results = (await run([operator], [1, 2, 3])).flat();
    const negated = typeof value === 'number' ? -value : value;
    expect(results).toEqual(value === 0 ? [value, negated, value] : [value, value, value]);
    expect(seen).toEqual(value === 0 ? [value, negated] : [value, value]);
  });

  it('emits a long result in slices, and accepts nothing meanwhile', () => {
    const harness = new StageHarness(3);
    const chain = new FusedChain([flatMap((n) => Array.from({ length: n }, (__, i) => i))], harness, compile);
    chain.push([8]);
    expect(chain.isAccepting).toBe(false);
    expect(chain.poll()).toEqual([0, 1, 2]);
    expect(chain.isAccepting).toBe(false);
    chain.end();
    expect(chain.poll()).toEqual([3, 4, 5]);
    expect(chain.isDone).toBe(false);
    expect(chain.poll()).toEqual([6, 7]);
    expect(chain.poll()).toBeUndefined();
    expect(chain.isDone).toBe(true);
  });

  it('is done when every result of the last key was polled', () => {
    const harness = new StageHarness(3);
    const chain = new FusedChain(
      [
        {
          kind: 'process',
          keyOf: (n: number) => n,
          onRecord: (_n, state: KeyedProcessContext<never, true>) => state.set(true),
          onEnd: (_state, emit) => [1, 2, 3, 4].forEach(emit),
        },
      ],
      harness,
      compile,
    );
    chain.push([1]);
    chain.end();
    expect([chain.poll(), chain.isDone]).toEqual([[1, 2, 3], false]);
    expect([chain.poll(), chain.poll(), chain.isDone]).toEqual([[4], undefined, true]);
  });

  it('a record that becomes many, or large ones, is processed before the next: waiting results are bounded', () => {
    const text = 'x'.repeat(500);
    const harness = new StageHarness(50, undefined, 1_000);
    let made = 0;
    const many = flatMap(function* (n) {
      for (let i = 0; i < 40; i++, made++) yield `${n}${text}`;
    });
    const chain = new FusedChain([many], harness, compile);
    let taken = 0;
    const lengths = new Set<number>();
    let mostWaiting = 0;
    for (let round = 0; round < 3; round++) {
      chain.push(Array.from({ length: 30 }, (__, n) => n));
      expect(chain.isAccepting).toBe(false);
      for (let batch = chain.poll(); batch !== undefined; batch = chain.poll()) {
        lengths.add(batch.length);
        taken += batch.length;
        mostWaiting = Math.max(mostWaiting, made - taken);
      }
      expect(chain.isAccepting).toBe(true);
    }
    expect([...lengths]).toEqual([1]);
    expect(mostWaiting).toBeLessThan(60);
    expect(taken).toBe(3 * 30 * 40);
  });

  it('large final results come a few at a time', () => {
    const harness = new StageHarness(50, undefined, 1_000);
    let made = 0;
    const report: SynchronousOperator = {
      kind: 'aggregate',
      keyOf: (n: number) => n,
      create: (n: number) => n,
      add: (n: number) => n,
      result: (n: number) => (made++, `${n}${'x'.repeat(400)}`),
      emit: 'final',
    };
    const chain = new FusedChain([report], harness, compile);
    chain.push(Array.from({ length: 40 }, (__, n) => n));
    chain.end();
    let taken = 0;
    for (let batch = chain.poll(); batch !== undefined; batch = chain.poll()) {
      taken += batch.length;
      expect(batch.length).toBeLessThanOrEqual(2);
      expect(made - taken).toBeLessThan(20);
    }
    expect([taken, chain.isDone]).toEqual([40, true]);
  });

  it('hands over ownership of its batches: changes to them have no effect on it', () => {
    const harness = new StageHarness(3);
    const chain = new FusedChain([map((n) => n)], harness, compile);
    chain.push([1, 2]);
    const first = chain.poll();
    Object.freeze(first);
    chain.push([3]);
    expect(chain.poll()).toEqual([3]);
    expect(first).toEqual([1, 2]);
  });

  it('emits the results of many keys in batches', async () => {
    const input = Array.from({ length: 25 }, (__, i) => i);
    const batches = await run([trace('final', (n) => n)], input, 10);
    expect(batches.map(({ length }) => length)).toEqual([10, 10, 5]);
  });

  it('FC1: yields the thread in between, even if the keys have no results', () => {
    const harness = new StageHarness(10);
    let asked = 0;
    const counting = { ...trace('final', (n) => n), result: () => asked++ } as SynchronousOperator;
    const chain = new FusedChain([counting, filter(() => false)], harness, compile);
    chain.push(Array.from({ length: 25 }, (__, i) => i));
    chain.end();
    const askedPerPoll: number[] = [];
    for (let before = 0; !chain.isDone; before = asked) {
      harness.wakes = 0;
      expect(chain.poll()).toBeUndefined();
      askedPerPoll.push(asked - before);
      expect(harness.wakes).toBe(chain.isDone ? 0 : 1);
    }
    expect(askedPerPoll).toEqual([10, 10, 5]);
  });

  it.each([['a string'], [undefined], [new Error('an error')]])('passes on the thrown value: %p', (thrown) => {
    const chain = new FusedChain(
      [
        map(() => {
          // oxlint-disable-next-line typescript/only-throw-error -- what it is about
          throw thrown;
        }),
      ],
      new StageHarness(),
      compile,
    );
    let caught: unknown = 'nothing';
    try {
      chain.push([1]);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBe(thrown);
  });

  it('emits nothing after close', () => {
    const harness = new StageHarness();
    const chain = new FusedChain([trace('final')], harness, compile);
    chain.push([1]);
    chain.end();
    chain.close();
    chain.close();
    expect(chain.poll()).toBeUndefined();
    expect(harness.wakes).toBe(0);
  });

  it('shares nothing with another chain of the same operators', async () => {
    const operators = [trace('final')];
    expect(await run(operators, [1])).toEqual([['1: create 1']]);
    expect(await run(operators, [3])).toEqual([['1: create 3']]);
  });
});

it('works if code must not be generated from strings', async () => {
  const module = join(__dirname, '../../src/operators/fused/fused-chain.ts');
  const script = `
    import assert from 'node:assert';
    import { FusedChain } from ${JSON.stringify(module)};
    assert.throws(() => new Function('return 1'), EvalError);
    const chain = new FusedChain(
      [
        { kind: 'map', fn: (n) => n + 1 },
        { kind: 'aggregate', keyOf: (n) => n % 2, create: (n) => n, add: (a, n) => a + n, result: (a) => a, emit: 'final' },
      ],
      { batchSize: 8, batchBytes: 1_024, wake: () => {} },
    );
    chain.push([1, 2, 3, 4]);
    chain.end();
    console.log(JSON.stringify(chain.poll()));`;
  const directory = mkdtempSync(join(tmpdir(), 'fused-chain-'));
  const bundled = await bundledCode(script, directory);
  const printed = execFileSync(process.execPath, ['--disallow-code-generation-from-strings', bundled]);
  rmSync(directory, { recursive: true, force: true });
  expect(printed.toString().trim()).toBe('[6,8]');
});
