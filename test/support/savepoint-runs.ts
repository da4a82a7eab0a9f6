import { type Exchange, Job, type Sink } from '../../src/index.ts';
import { tickingSource } from './abandoned-run.ts';

/** Number of records that the source of {@link sumsOf} has. */
export const count = 400;
export const checkpoints = { intervalMs: 5 };

/** One row. */
export interface Sum {
  readonly key: string;
  readonly n: number;
  readonly sum: number;
}

export interface Shape {
  readonly parallelism: number;
  readonly exchange?: Exchange;
  readonly pays?: ((n: number) => Promise<void>) | undefined;
}

export const keyOf = (n: number): string => `k${n % 23}`;

/** One row for each record: the sum of its key so far. The source has one task, the rest `parallelism`. */
export const sumsOf = (out: Sink<Sum>, shape: Shape): Job => {
  const job = Job.create('sums', { mode: 'streaming', parallelism: shape.parallelism });
  streamOf(job, shape).sink('out', out, { version: 1 });
  return job;
};

export const streamOf = (job: Job, { exchange = 'pipelined', pays }: Shape) =>
  job
    .source('ticks', tickingSource(count), { version: 1, parallelism: 1 })
    .mapAsync(async (n) => (await pays?.(n), n), { uid: 'paid', parallelism: 1, remember: false })
    .keyBy(keyOf, { exchange })
    .process<{ sum: number }, Sum>(
      {
        onRecord: (n, context, emit) => {
          const sum = (context.get()?.sum ?? 0) + n;
          context.set({ sum });
          emit({ key: keyOf(n), n, sum });
        },
      },
      { uid: 'sum' },
    );

/** What a run that nothing interrupts writes. */
export const expected = ((): readonly Sum[] => {
  const sums = new Map<string, number>();
  return Array.from({ length: count }, (_, n) => {
    const sum = (sums.get(keyOf(n)) ?? 0) + n;
    sums.set(keyOf(n), sum);
    return { key: keyOf(n), n, sum };
  });
})();

export const sorted = (rows: readonly Sum[]): Sum[] => [...rows].sort((a, b) => a.n - b.n);
