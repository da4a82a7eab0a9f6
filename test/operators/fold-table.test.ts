import fc from 'fast-check';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import { compileLoop } from '../../src/operators/fused/loops/compile-loop.ts';
import { LoopSegment } from '../../src/operators/fused/loop-segment.ts';
import type { LoopOperator } from '../../src/operators/fused/loops/loop.ts';
import { RunTrace } from '../../src/operators/fused/loops/run-trace.ts';
import type { CreateTable } from '../../src/operators/state/state-tables.ts';
import { FoldTable } from '../../src/operators/state/tables/fold-table.ts';
import { PlainTable } from '../../src/operators/state/tables/plain-table.ts';
import type { LoadedElsewhere } from '../../src/operators/state/tables/state-table.ts';
import { packData } from '../../src/partitions/records/packed-data.ts';
import { inBatches, StageHarness } from './stage-driver.ts';
import { loopKinds } from './loop-kinds.ts';

/** What a function makes of an accumulator: the same object, changed; or another one. */
const changes: readonly ((accumulator: unknown) => unknown)[] = [
  (accumulator) => {
    if (Array.isArray(accumulator)) accumulator.push(accumulator.length);
    else if (typeof accumulator === 'object' && accumulator !== null) (accumulator as { n?: number }).n = 7;
    return accumulator;
  },
  () => ({ n: 1 }),
  () => [],
  () => 0,
  () => -0,
  () => undefined,
  () => null,
  () => Number.NaN,
  () => 'text',
];

interface Fold {
  readonly key: number;
  readonly change: number;
}

const changing = (accumulator: unknown, { change }: Fold): unknown =>
  (changes[change] as (accumulator: unknown) => unknown)(accumulator);

/** Results are copies, because an accumulator changes later. */
const copied = (accumulator: unknown, key: unknown): unknown => [key, structuredClone(accumulator)];

const folding = (emit: 'updates' | 'final', errors?: LoopOperator['errors']) =>
  ({
    kind: 'aggregate',
    keyOf: ({ key }: Fold) => key,
    create: (fold: Fold) => changing({ n: 0 }, fold),
    add: changing,
    result: copied,
    ...{ emit, errors },
  }) as unknown as LoopOperator;

/** Of each key: what it has last, and of each record what its key has then. */
function byHand(folds: readonly Fold[]) {
  const accumulators = new Map<number, unknown>();
  const updates = folds.map((fold) => {
    const before = accumulators.has(fold.key) ? accumulators.get(fold.key) : { n: 0 };
    accumulators.set(fold.key, changing(before, fold));
    return copied(accumulators.get(fold.key), fold.key);
  });
  return { updates, final: [...accumulators].map(([key, accumulator]) => copied(accumulator, key)) };
}

// Mostly the same object, as in a fold that changes it in place.
const change = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.constantFrom(1, 2) },
  { weight: 1, arbitrary: fc.nat({ max: changes.length - 1 }) },
);
const records = fc.array(fc.record({ key: fc.nat({ max: 9 }), change }), { minLength: 1, maxLength: 200 });
const objectsOnly = fc.array(fc.record({ key: fc.nat({ max: 9 }), change: fc.nat({ max: 2 }) }), { maxLength: 200 });

/** The folds of a table, and what it is asked for afterwards. */
function segmentOf(compile: typeof compileLoop, operators: readonly LoopOperator[]) {
  const tables: FoldTable[] = [];
  const createTable = (): FoldTable => {
    const table = new FoldTable();
    tables.push(table);
    return table;
  };
  const segment = new LoopSegment(operators, compile, { createTable });
  const run = (folds: readonly unknown[], size: number): unknown[] => {
    const out: unknown[] = [];
    for (let at = 0; at < folds.length; at += size) {
      segment.run(folds.slice(at, at + size), out, new RunTrace(undefined, undefined));
    }
    return out;
  };
  const drained = (): unknown[] => {
    const out: unknown[] = [];
    while (segment.drain?.(out, 3) === true);
    return out;
  };
  return { segment, tables, run, drained };
}

describe.each(loopKinds)('a fold without checkpoints by %s', (_, compile) => {
  it('FT1, KT2: property: has the accumulators of a Map in its order, whatever they are and whenever that changes', () => {
    fc.assert(
      fc.property(fc.oneof(records, objectsOnly), fc.integer({ min: 1, max: 60 }), (folds, size) => {
        const expected = byHand(folds);
        expect(segmentOf(compile, [folding('updates')]).run(folds, size)).toEqual(expected.updates);
        const { run, drained } = segmentOf(compile, [folding('final')]);
        expect(run(folds, size)).toEqual([]);
        expect(drained()).toEqual(expected.final);
      }),
      { numRuns: 300 },
    );
  });

  it('FT1: property: continues from its state, also the state of another kind', () => {
    fc.assert(
      fc.property(records, records, fc.integer({ min: 1, max: 60 }), (before, after, size) => {
        const first = segmentOf(compile, [folding('final')]);
        first.run(before, size);
        const second = segmentOf(compile, [folding('final')]);
        second.segment.restore(first.segment.snapshot(packData));
        second.run(after, size);
        expect(second.drained()).toEqual(byHand([...before, ...after]).final);
      }),
      { numRuns: 100 },
    );
  });

  it('FT1: two folds in a row, of which one has other accumulators than objects', () => {
    const counting = { ...folding('updates'), keyOf: () => 'all', create: () => 1, add: (n: number) => n + 1 };
    const operators = [counting, { kind: 'map', fn: ([, n]: [string, number]) => ({ key: n % 2, change: 0 }) }];
    const { run, drained } = segmentOf(compile, [...operators, folding('final')] as LoopOperator[]);
    run(Array.from({ length: 9 }), 4);
    expect(drained()).toEqual([
      [1, { n: 7 }],
      [0, { n: 7 }],
    ]);
  });

  it('a promise in place of an accumulator is refused, when it comes first and later', async () => {
    const promised = { ...folding('final'), add: () => Promise.resolve() } as unknown as LoopOperator;
    const { run } = segmentOf(compile, [promised]);
    expect(() =>
      run(
        [
          { key: 1, change: 0 },
          { key: 1, change: 0 },
        ],
        2,
      ),
    ).toThrow('not a promise');
    const created = { ...folding('final'), create: () => Promise.resolve() } as unknown as LoopOperator;
    expect(() => segmentOf(compile, [created]).run([{ key: 1, change: 0 }], 1)).toThrow('not a promise');
  });

  it('a key that is none is refused, and a function that fails is blamed', async () => {
    const { run } = segmentOf(compile, [folding('final')]);
    expect(() => run([{ key: Promise.resolve(), change: 0 }], 1)).toThrow('key');
    const failing = { ...folding('final'), add: () => raise() } as never;
    const harness = new StageHarness(3);
    const chain = new FusedChain([failing], Object.assign(harness, { createTable: () => new FoldTable() }), compile);
    const folds = [1, 2, 1].map((key) => ({ key, change: 0 }));
    await expect(harness.run(chain, inBatches(folds, 3))).rejects.toThrow('it failed');
    expect(chain.blame).toMatchObject({ operator: 0, record: { value: folds[2] } });
  });
});

function raise(): never {
  throw new Error('it failed');
}

describe('the table of a fold without checkpoints', () => {
  const sum = { key: 1, change: 0 };

  it('FT1: has no cells as long as its accumulators are objects that change in place', () => {
    const { run, tables } = segmentOf(compileLoop, [folding('final')]);
    run(
      Array.from({ length: 500 }, () => sum),
      10,
    );
    expect(tables.map(({ access, objects }) => [access, objects.size])).toEqual([['objects', 1]]);
  });

  it('FT1: has cells as soon as an accumulator is no object, or many were replaced', () => {
    const numbers = segmentOf(compileLoop, [folding('final')]);
    numbers.run([sum, { key: 2, change: 3 }, sum], 3);
    const replaced = segmentOf(compileLoop, [folding('final')]);
    replaced.run(
      Array.from({ length: 500 }, () => ({ key: 1, change: 1 })),
      10,
    );
    for (const { tables } of [numbers, replaced]) {
      expect(tables.map(({ access, objects }) => [access, objects.size])).toEqual([['cells', 0]]);
    }
  });

  it.each<[string, number, [access: string, objects: number]]>([
    ['because accumulators are replaced', 1, ['objects', 65_537]],
    ['because some are null', 6, ['objects', 65_537]],
    ['because some are a text', 8, ['objects', 65_537]],
    ['but for a zero, which may become −0', 3, ['cells', 0]],
    ['but for one that is undefined', 5, ['cells', 0]],
  ])('FT1: has no cells for very many keys, which would take long, %s', (_, change, expected) => {
    const { run, tables, drained } = segmentOf(compileLoop, [folding('final')]);
    const firsts = Array.from({ length: 65_537 }, (_one, key) => ({ key, change: 0 }));
    const others = Array.from({ length: 500 }, (_one, key) => ({ key, change }));
    const folds = [...firsts, ...others, ...others.slice(0, 10), { key: 3, change: 0 }];
    run(folds, 70_000);
    expect(tables.map(({ access, objects }) => [access, objects.size])).toEqual([expected]);
    expect(drained()).toEqual(byHand(folds).final);
  });

  it('is not asked by a loop that finds cells', () => {
    const front = jest.spyOn(FoldTable.prototype, 'front', 'get');
    const { run, drained } = segmentOf(compileLoop, [folding('final')]);
    const folds = [3, 0, 2, 3].map((change) => ({ key: 1, change }));
    for (const fold of folds) run([fold], 1);
    expect(drained()).toEqual(byHand(folds).final);
    expect(front).not.toHaveBeenCalled();
    front.mockRestore();
  });

  it('is for folds whose functions fail the task alone, because a rejected record leaves nothing behind', () => {
    const uses: unknown[] = [];
    const createTable: CreateTable = (uid, use) => {
      uses.push([uid, use]);
      return new PlainTable();
    };
    for (const errors of [undefined, {} as never]) {
      const created = new LoopSegment([folding('final', errors)], compileLoop, { createTable, name: 'sums' });
      created.close();
    }
    expect(uses).toEqual([
      ['sums', 'fold'],
      ['sums', undefined],
    ]);
  });

  it('takes over a state that was read elsewhere, and disposes of it', () => {
    const dispose = jest.fn();
    const read = new Map([
      ['a', { accumulator: { n: 1 }, version: 0 }],
      ['b', { accumulator: 2, version: 0 }],
    ] as [string, { accumulator: unknown; version: number }][]);
    const table = new FoldTable();
    table.adopt({ kind: 'elsewhere', runs: undefined, entries: () => read.entries(), dispose } as LoadedElsewhere);
    expect([...table.entries()].map(([key, { accumulator }]) => [key, accumulator])).toEqual([
      ['a', { n: 1 }],
      ['b', 2],
    ]);
    expect(table.keys()).toEqual(['a', 'b']);
    expect(dispose).toHaveBeenCalledTimes(1);
  });
});
