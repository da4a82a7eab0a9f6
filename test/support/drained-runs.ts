import { type Exchange, Job, type Sink } from '../../src/index.ts';
import { tickingSource } from './abandoned-run.ts';

export const count = 400;
export const checkpoints = { intervalMs: 5 };
export const keyOf = (n: number): string => `k${n % 23}`;

/** The final result of a key: all records since it began. */
export interface Fold {
  readonly key: string;
  readonly sum: number;
  readonly records: number;
}

export interface Shape {
  readonly parallelism?: number;
  readonly exchange?: Exchange;
  readonly count?: number;
}

/** One row for each key, at the end of the input. */
export const foldsOf = (
  out: Sink<Fold>,
  { parallelism = 2, exchange = 'pipelined', count: most = count }: Shape = {},
): Job => {
  const job = Job.create('folds', { mode: 'streaming', parallelism });
  job
    .source('ticks', tickingSource(most), { version: 1, parallelism: 1 })
    .mapAsync((n) => Promise.resolve(n), { uid: 'paid', parallelism: 1, remember: false })
    .keyBy(keyOf, { exchange })
    .aggregate(
      {
        create: (): { sum: number; records: number } => ({ sum: 0, records: 0 }),
        add: ({ sum, records }, n) => ({ sum: sum + n, records: records + 1 }),
        result: (fold, key): Fold => ({ key, ...fold }),
      },
      { uid: 'fold', emit: 'final', version: 1 },
    )
    .sink('out', out, { version: 1 });
  return job;
};

/** What runs have handed on, as one sum for each key: right if no record is missing or counted twice. */
export const totals = (rows: readonly Fold[]): Map<string, { sum: number; records: number }> => {
  const byKey = new Map<string, { sum: number; records: number }>();
  for (const { key, sum, records } of rows) {
    const before = byKey.get(key) ?? { sum: 0, records: 0 };
    byKey.set(key, { sum: before.sum + sum, records: before.records + records });
  }
  return new Map([...byKey].sort(([a], [b]) => a.localeCompare(b)));
};

/** The folds of the numbers below `end`. */
export const expected = (end = count): Map<string, { sum: number; records: number }> =>
  totals(Array.from({ length: end }, (_, n) => ({ key: keyOf(n), sum: n, records: 1 })));

export const recordsIn = (rows: readonly Fold[]): number => rows.reduce((sum, { records }) => sum + records, 0);
