import fc from 'fast-check';
import { keysOfTask, shareKeys } from '../../../src/operators/state/key-selection.ts';
import { readState } from '../../../src/operators/state/read-state.ts';
import { tablesIn } from '../../../src/operators/state/state-tables.ts';
import type { LoadedTable } from '../../../src/operators/state/tables/loaded-table.ts';
import { packTable } from '../../../src/operators/state/tables/loaded-table.ts';
import type { TaskState } from '../../../src/operators/state/task-state.ts';
import { packData } from '../../../src/partitions/records/packed-data.ts';
import { subpartitionOfKey } from '../../../src/partitions/records/key-hash.ts';

const parallelism = fc.integer({ min: 1, max: 300 });

describe('the keyed states of a task at another parallelism', () => {
  it('are those of its keys: each state is read by one task', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 60 }),
        parallelism,
        async (keys, count) => {
          const table = packTable(
            keys.map((key) => [key, { accumulator: key.length }] as const),
            packData,
          );
          const state: TaskState = {
            input: { kind: 'gate', channels: [], order: undefined },
            outputs: [],
            chain: { kind: 'keyed', tables: [table] },
          };
          const read: [unknown, number][] = [];
          for (let subtask = 0; subtask < count; subtask++) {
            const part = await readState(undefined, { kind: 'inline', state }, keysOfTask(subtask, count));
            const { cells } = tablesIn(part.chain)[0] as LoadedTable;
            for (const key of cells.keys()) read.push([key, subtask]);
          }
          expect(read.sort()).toEqual(keys.map((key) => [key, subpartitionOfKey(key, count)]).sort());
        },
      ),
      { numRuns: 40 },
    );
  });

  it('come from the tasks that may have had the same keys', () => {
    fc.assert(
      fc.property(fc.string(), parallelism, parallelism, (key, before, now) => {
        const one = { subtask: subpartitionOfKey(key, before), parallelism: before };
        const other = { subtask: subpartitionOfKey(key, now), parallelism: now };
        expect([shareKeys(one, other), shareKeys(other, one)]).toEqual([true, true]);
      }),
    );
    const shared = (a: number, b: number): boolean =>
      shareKeys({ subtask: a, parallelism: 2 }, { subtask: b, parallelism: 4 });
    expect([0, 1].map((a) => [0, 1, 2, 3].map((b) => shared(a, b)))).toEqual([
      [true, true, false, false],
      [false, false, true, true],
    ]);
  });
});
