import { collect, defineJob, Job, range } from 'kintsugi';

interface Reading {
  readonly sensor: string;
  readonly value: number;
}

/** Kinds of records that cost next to nothing to make, with their keys and the numbers to sum. */
const kinds = {
  numbers: {
    recordOf: (id: number): unknown => (id * 7_919) % 1_000_003,
    keyOf: (record: unknown): string | number => (record as number) % 1_000,
    valueOf: (record: unknown): number => record as number,
  },
  texts: {
    recordOf: (id: number): unknown => `sensor-${(id * 7_919) % 1_000}`,
    keyOf: (record: unknown): string | number => record as string,
    valueOf: (record: unknown): number => (record as string).length,
  },
  'flat objects': {
    recordOf: (id: number): unknown => ({ sensor: `sensor-${(id * 7_919) % 1_000}`, value: id % 1_013 }),
    keyOf: (record: unknown): string | number => (record as Reading).sensor,
    valueOf: (record: unknown): number => (record as Reading).value,
  },
} as const;

export type RecordKind = keyof typeof kinds;

export const recordKinds = Object.keys(kinds) as readonly RecordKind[];

/** The sums by key. */
export const sums = collect<number>();

/** Two tasks make records, and two sum them by key: half of the records go from one to the other. */
export default defineJob<'kind' | 'count'>(({ kind = 'numbers', count = '1000' }) => {
  const { recordOf, keyOf, valueOf } = kinds[kind as RecordKind];
  const job = Job.create('shuffle', { mode: 'streaming', parallelism: 2 });
  job
    .source('ids', range(0, Number(count)))
    .map(recordOf, { uid: 'records' })
    .keyBy(keyOf)
    .aggregate(
      {
        create: () => ({ sum: 0 }),
        add: (total, record) => {
          total.sum += valueOf(record);
          return total;
        },
        result: ({ sum }) => sum,
      },
      { uid: 'sums', emit: 'final' },
    )
    .sink('out', sums);
  return job;
});
