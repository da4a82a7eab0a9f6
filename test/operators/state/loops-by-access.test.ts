import fc from 'fast-check';
import type { CheckpointId } from '../../../src/ids.ts';
import { compileLoop } from '../../../src/operators/fused/loops/compile-loop.ts';
import type { LoopOperator } from '../../../src/operators/fused/loops/loop.ts';
import { LoopSegment } from '../../../src/operators/fused/loop-segment.ts';
import { RunTrace } from '../../../src/operators/fused/loops/run-trace.ts';
import { KeyedTable } from '../../../src/operators/state/tables/keyed-table.ts';
import { LoadedTable } from '../../../src/operators/state/tables/loaded-table.ts';
import type { FrozenTable } from '../../../src/operators/state/tables/frozen-table.ts';
import type { StateTable } from '../../../src/operators/state/tables/state-table.ts';
import { decodeBlock } from '../../../src/operators/state/tables/table-block.ts';
import { packData } from '../../../src/partitions/records/packed-data.ts';
import { draws } from '../../support/draws.ts';
import { loopKinds } from '../loop-kinds.ts';

/** Counts the records of each key, in an object that changes in place. */
const counts: LoopOperator = {
  kind: 'aggregate',
  keyOf: (key: number) => key,
  create: () => ({ count: 1 }),
  add: (sum: { count: number }) => {
    sum.count++;
    return sum;
  },
  result: (sum: { count: number }, key: number) => [key, sum.count],
  emit: 'final',
} as never;

/** What a frozen table has, read block by block. */
function contentOf(frozen: FrozenTable): [unknown, unknown][] {
  const table = new LoadedTable();
  const blocks = [...frozen.blocks()].flatMap((block) => (block === undefined ? [] : [decodeBlock(block.bytes)]));
  table.addRun(blocks);
  return [...table.cells].map(([key, { accumulator }]) => [key, accumulator]);
}

/** A segment over one table, and for which access the loops that ran were made. */
function segmentOver(table: StateTable, compile = compileLoop) {
  const ran: string[] = [];
  const noting: typeof compileLoop = (operators, tables, options) => {
    const loops = compile(operators, tables, options);
    const made = tables[0]?.access ?? '';
    const run: typeof loops.run = (...given) => {
      ran.push(made);
      loops.run(...given);
    };
    return { ...loops, run };
  };
  return { segment: new LoopSegment([counts], noting, { createTable: () => table }), ran };
}

const trace = (): RunTrace => new RunTrace(undefined, undefined);

describe('a fold between checkpoints', () => {
  it.each(loopKinds)('KT1, KT5: property: changes nothing that was frozen, as %s', (_, compile) => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }) },
      { weight: 1, arbitrary: fc.constant('freeze' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 20 }), (steps) => {
        const { segment } = segmentOver(new KeyedTable(), compile);
        const model = new Map<number, { count: number }>();
        const frozen: { readonly table: FrozenTable; readonly expected: unknown }[] = [];
        for (const one of steps) {
          if (one === 'freeze') {
            const state = segment.snapshot(packData, (frozen.length + 1) as CheckpointId);
            if (state.kind !== 'loop') throw new Error(`the state of a loop, not of a ${state.kind}`);
            frozen.push({ table: state.accumulators[0] as FrozenTable, expected: structuredClone([...model]) });
            continue;
          }
          segment.run(one, [], trace());
          for (const key of one) model.set(key, { count: (model.get(key)?.count ?? 0) + 1 });
        }
        for (const { table, expected } of frozen) expect(contentOf(table)).toEqual(expected);
      }),
      { numRuns: draws(100, 400) },
    );
  });

  it('looks for outdated cells only while there are some', () => {
    const table = new KeyedTable();
    const { segment, ran } = segmentOver(table);
    const run = (...keys: number[]): string | undefined => {
      segment.run(keys, [], trace());
      return ran.at(-1);
    };
    expect(run(1, 2, 3)).toBe('cells');
    table.freeze(1 as CheckpointId, packData);
    expect([run(1, 2), run(1, 3), run(2, 3, 4), run(4)]).toEqual(['outdated', 'outdated', 'cells', 'cells']);
    table.delete(1);
    table.freeze(2 as CheckpointId, packData);
    expect(run(2, 3)).toBe('outdated');
    table.delete(4);
    expect(run(2, 3)).toBe('cells');
  });
});
