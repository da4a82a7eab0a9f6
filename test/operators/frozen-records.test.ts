import { map as rxMap } from 'rxjs';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import { createOperatorChain } from '../../src/operators/task/operator-chain.ts';
import type { OperatorDescription } from '../../src/operators/operator-description.ts';
import { freezeRecord } from '../../src/partitions/records/freeze-records.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { loopKinds } from './loop-kinds.ts';
import { inBatches, StageHarness } from './stage-driver.ts';

interface Row {
  n: number;
}

let kept: Row;
beforeEach(() => {
  kept = { n: 1 };
});
/** Operators that pass on the very object `kept`, which the next one must not change. */
const givers: readonly [string, OperatorDescription][] = [
  ['map', { kind: 'map', fn: () => kept }],
  ['flatMap', { kind: 'flatMap', fn: () => [kept] }],
  [
    'aggregate with updates',
    { kind: 'aggregate', keyOf: () => 1, create: () => kept, add: () => kept, result: () => kept, emit: 'updates' },
  ],
  [
    'aggregate at the end',
    { kind: 'aggregate', keyOf: () => 1, create: () => kept, add: () => kept, result: () => kept, emit: 'final' },
  ],
  ['process', { kind: 'process', keyOf: () => 1, onRecord: (_, __, emit) => emit(kept) }],
  ['mapAsync', { kind: 'asyncMap', fn: async () => kept, options: {} }],
  ['through', { kind: 'pipe', operator: rxMap(() => kept) as never }],
];
const changing: OperatorDescription = {
  kind: 'map',
  fn: (row: Row) => {
    row.n *= 10;
    return row;
  },
};
const run = (operators: OperatorDescription[], freezeRecords: boolean) => {
  const harness = new StageHarness(4, virtualEnvironment({ freezeRecords }));
  return harness.run(createOperatorChain(operators, harness.runtime, harness), inBatches([1], 1));
};

describe('a record that one operator passes to the next', () => {
  it.each(givers)('is frozen in development: %s', async (_, giver) => {
    await expect(run([giver, changing], true)).rejects.toThrow(/^Cannot assign to read only property 'n'/);
  });

  it.each(loopKinds)('is frozen by %s', async (_, compile) => {
    const harness = new StageHarness();
    const operators = [
      { kind: 'map', fn: () => ({ n: 1 }) } as const,
      { kind: 'filter', predicate: () => true } as const,
    ];
    const chain = new FusedChain(
      [...operators, changing as never],
      Object.assign(harness, { freezesRecords: true }),
      compile,
    );
    await expect(harness.run(chain, [[1]])).rejects.toThrow(/read only/);
  });

  it.each(givers)('is not frozen in production: %s', async (_, giver) => {
    await run([giver, changing], false);
    expect([kept.n, Object.isFrozen(kept)]).toEqual([10, false]);
  });

  it('is not frozen after the last operator, for an exchange or a sink', async () => {
    const [[row]] = (await run([{ kind: 'map', fn: () => ({ n: 1 }) }], true)) as [[Row]];
    expect(Object.isFrozen(row)).toBe(false);
  });
});

describe('freezing', () => {
  it('is as deep as plain data', () => {
    let list: object = {};
    for (let depth = 0; depth < 200_000; depth++) list = { next: list };
    expect(() => freezeRecord(list)).not.toThrow();
    const ring: Record<string, unknown> = { inner: [{}] };
    ring['self'] = ring;
    freezeRecord(ring);
    expect([ring, ring['inner'], (ring['inner'] as object[])[0]].every(Object.isFrozen)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a Buffer', Buffer.from('x')],
    ['a typed array', new Uint8Array(2)],
    ['a map', new Map()],
    ['a date', new Date(0)],
    [
      'an instance of a class',
      new (class Point {
        x = 1;
      })(),
    ],
  ])('leaves %s alone', (_, value) => {
    const record = { value };
    freezeRecord(record);
    expect([Object.isFrozen(record), Object.isFrozen(value)]).toEqual([true, false]);
  });
});
