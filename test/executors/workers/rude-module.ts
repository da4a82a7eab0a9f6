import { defineJob, forEach, fromArray, Job } from 'kintsugi';

/** What a module does wrong when a worker loads it. */
export type Rudeness = 'throws' | 'exits' | 'runs' | 'renames' | 'widens';

export default defineJob<'rudeness'>(({ rudeness }) => {
  const isWorker = import.meta.url.includes('modules/test');
  const job = Job.create('rude', { parallelism: isWorker && rudeness === 'widens' ? 3 : 1 });
  job
    .source('numbers', fromArray([1, 2, 3]))
    .map((number) => number + 1, { uid: isWorker && rudeness === 'renames' ? 'other' : 'more' })
    .sink(
      'seen',
      forEach(() => {}),
    );
  if (isWorker && rudeness === 'throws') throw new Error('no such table');
  if (isWorker && rudeness === 'exits') process.exit(4);
  if (isWorker && rudeness === 'runs') job.run();
  return job;
});
