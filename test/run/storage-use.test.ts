import type { PartitionId } from '../../src/ids.ts';
import { folded } from '../support/folded.ts';
import { SnapshotFold } from '../../src/run/folds/job-snapshot.ts';
import { storageUse } from '../../src/run/storage-use.ts';
import { shape, told } from './folds/told.ts';

const held = [0, 1].map((at) => ({
  output: {
    id: { partition: at as PartitionId, attempt: 0 as never },
    statistics: () => ({ records: 5, batches: 1, memoryBytes: 10 * at, spilledBytes: 100 }),
  },
  sinceMs: 1_000 + at,
}));

describe('storage use', () => {
  it.each<[string, readonly number[], string]>([
    ['before any consumer has read them', [], 'b[0] b[1]'],
    ['while one consumer has', [2], 'b[1]'],
    ['when all have, and they are kept regardless', [2, 3], ''],
    ['after other tasks have finished', [0, 1], 'b[0] b[1]'],
  ])('is shown by exchange, with its consumers: %s', (_, finished, readers) => {
    const fold = new SnapshotFold(shape);
    folded(
      fold,
      finished.map((region) => told.region(region, 'finished')),
    );
    const names = readers.split(' ').filter((name) => name !== '');
    expect(storageUse(held, shape, fold, 3_000)).toEqual([
      {
        ...{ source: 'a', target: 'b', exchange: 'blocking', results: 2, records: 10 },
        ...{ memoryBytes: 10, diskBytes: 200, oldestMs: 2_000, readerCount: names.length, readers: names },
      },
    ]);
  });
});
