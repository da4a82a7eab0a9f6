import { threadId } from 'node:worker_threads';
import { collect, defineJob, fromArray, Job } from 'kintsugi';

/** The threads of the co-located tasks through which each record went. */
export const neighbors = collect<{ readonly number: number; readonly threads: readonly number[] }>();

let hasFailed = false;

/**
 *   (numbers) ─▶ (first) ┄memory┄▶ (second) ─▶ (neighbors), all twice, and all in one slot sharing group
 *
 * The subtasks of `first` and `second` are co-located.
 */
export default defineJob(() => {
  const job = Job.create('neighbors', { parallelism: 2, slotSharingGroup: 'all' });
  job
    .source('numbers', fromArray(Array.from({ length: 500 }, (_, number) => number)))
    .rebalance({ exchange: 'pipelined' })
    .map((number) => ({ number, threads: [threadId] }), { uid: 'first', coLocationGroup: 'near' })
    .forward({ exchange: 'memory' })
    .map(
      ({ number, threads }) => {
        if (number === 250 && !hasFailed) {
          hasFailed = true;
          throw new Error('once in this thread');
        }
        return { number, threads: [...threads, threadId] };
      },
      { uid: 'second', coLocationGroup: 'near' },
    )
    .sink('neighbors', neighbors);
  return job;
});
