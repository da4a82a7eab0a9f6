import { collect, defineJob, Job, type Source } from 'kintsugi';

/** What the job of this copy of the module has collected. */
export const summed = collect<{ readonly key: number; readonly sum: number }>();

/** A thousand numbers for each subtask; the first attempt of one subtask waits until it is canceled. */
const numbers: Source<number> = {
  name: 'numbers',
  maxParallelism: 100,
  open: ({ subtask, attempt, signal }) => {
    let left = 1_000;
    const isStuck = subtask === 1 && attempt === 0;
    const stuck = new Promise<null>((done) => signal.addEventListener('abort', () => done(null)));
    return {
      read: (most) => {
        if (isStuck) return stuck;
        const batch: number[] = [];
        while (left > 0 && batch.length < most) batch.push(subtask * 1_000 + --left);
        return batch.length > 0 ? batch : null;
      },
      close: () => {},
    };
  },
};

/** (numbers) ═▶ (sums, collected): one task of four is slow. */
export default defineJob(() => {
  const job = Job.create('slow', { parallelism: 4 });
  job
    .source('numbers', numbers)
    .map((number) => ({ key: number % 10, sum: number }), { uid: 'keyed' })
    .keyBy(({ key }) => key)
    .reduce((a, b) => ({ key: a.key, sum: a.sum + b.sum }), { uid: 'sums' })
    .sink('summed', summed);
  return job;
});
