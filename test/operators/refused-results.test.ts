import { from, map as rxMap } from 'rxjs';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import type { SynchronousOperator } from '../../src/operators/fused/stretches.ts';
import type { OperatorDescription } from '../../src/operators/operator-description.ts';
import { PipeStage } from '../../src/operators/pipe-stage.ts';
import { loopKinds } from './loop-kinds.ts';
import { thenable, withThen } from '../support/rude-values.ts';
import { inBatches, StageHarness, unhandledDuring } from './stage-driver.ts';

const later = async (): Promise<never> => {
  throw new Error('late');
};
const fold = (over: object): SynchronousOperator =>
  ({
    kind: 'aggregate',
    keyOf: () => 1,
    create: (n: number) => n,
    add: (sum: number, n: number) => sum + n,
    result: (sum: number) => sum,
    emit: 'updates',
    ...over,
  }) as SynchronousOperator;
const process = (over: object): SynchronousOperator =>
  ({ kind: 'process', keyOf: () => 1, onRecord: () => {}, ...over }) as unknown as SynchronousOperator;

const refused: readonly [string, SynchronousOperator, RegExp][] = [
  ['an async map', { kind: 'map', fn: later }, /^result of map: .*use mapAsync/],
  [
    'a map that returns a thenable',
    { kind: 'map', fn: () => thenable((_, no) => no(1)) },
    /^result of map: .*mapAsync/,
  ],
  [
    'a map that sometimes waits',
    { kind: 'map', fn: (n: number) => (n === 3 ? later() : n) },
    /^result of map: .*mapAsync/,
  ],
  ['an async filter', { kind: 'filter', predicate: later as never }, /^result of filter: .*use mapAsync/],
  ['an async flatMap', { kind: 'flatMap', fn: later as never }, /^result of flatMap: .*use mapAsync/],
  ['a flatMap to promises', { kind: 'flatMap', fn: () => [later()] }, /^result of flatMap: .*use mapAsync/],
  [
    'a flatMap by an async generator',
    { kind: 'flatMap', fn: async function* () {} as never },
    /^result of flatMap: expected an iterable of records .*got \[object AsyncGenerator\]/,
  ],
  [
    'a flatMap to nothing',
    { kind: 'flatMap', fn: (() => undefined) as never },
    /an iterable of records .*got undefined/,
  ],
  ['a flatMap to null', { kind: 'flatMap', fn: (() => null) as never }, /an iterable of records .*got null/],
  ['a flatMap to a number', { kind: 'flatMap', fn: (() => 5) as never }, /an iterable of records .*got 5/],
  ['an async key of a fold', fold({ keyOf: later }), /^key of aggregate: .*use mapAsync/],
  ['an async create', fold({ create: later }), /^accumulator of reduce or aggregate: .*use mapAsync/],
  ['an async add', fold({ add: later }), /^accumulator of reduce or aggregate: .*use mapAsync/],
  ['an async result of updates', fold({ result: later }), /^result of aggregate: .*use mapAsync/],
  ['an async result at the end', fold({ result: later, emit: 'final' }), /^result of aggregate: .*use mapAsync/],
  ['an async key of process', process({ keyOf: later }), /^key of process: .*use mapAsync/],
  [
    'a promise that process emits',
    process({ onRecord: (_: unknown, __: unknown, emit: (out: unknown) => void) => emit(later()) }),
    /^result of process: .*use mapAsync/,
  ],
  [
    'a state of process',
    process({ onRecord: (_: unknown, context: { set: (state: unknown) => void }) => context.set(later()) }),
    /^state of process: .*use mapAsync/,
  ],
];

describe.each(loopKinds)('a promise is not a record in %s', (_, compile) => {
  it.each(refused)('%s', async (_name, operator, message) => {
    const unhandled = await unhandledDuring(async () => {
      const harness = new StageHarness();
      const chain = new FusedChain([operator], harness, compile);
      await expect(harness.run(chain, inBatches([1, 2, 3, 4], 4))).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        recovery: 'never',
        message: expect.stringMatching(message) as string,
      });
    });
    expect(unhandled).toEqual([]);
  });

  it.each<[string, SynchronousOperator, unknown[]]>([
    ['data called then', { kind: 'map', fn: () => withThen({}, 'later') }, [{}, {}]],
    ['null and undefined', { kind: 'map', fn: (n: number) => (n === 1 ? null : undefined) }, [null, undefined]],
    [
      'verdicts that are true enough',
      { kind: 'filter', predicate: ((n: number) => (n === 1 ? 'yes' : 0)) as never },
      [1],
    ],
  ])('but %s are records', async (_name, operator, expected) => {
    const harness = new StageHarness();
    const results = await harness.run(new FusedChain([operator], harness, compile), inBatches([1, 2], 2));
    expect(results.flat()).toEqual(expected);
  });
});

it('a pipe that emits a promise fails, at its record', async () => {
  const unhandled = await unhandledDuring(async () => {
    const pipe = { kind: 'pipe', operator: rxMap(later) } as unknown as Extract<OperatorDescription, { kind: 'pipe' }>;
    const harness = new StageHarness();
    const stage = new PipeStage(pipe, harness);
    await expect(harness.run(stage, [[1, 2]])).rejects.toThrow(/^result of through: .*use mapAsync/);
    expect(stage.blame).toMatchObject({ record: { value: 1, number: 0 } });
    await expect(
      new StageHarness().run(
        new PipeStage({ ...pipe, operator: () => from([later()]) } as unknown as typeof pipe, harness),
        [[1]],
      ),
    ).rejects.toThrow(/^result of through/);
  });
  expect(unhandled).toEqual([]);
});
