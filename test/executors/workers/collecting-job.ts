import { collect, defineJob, fromIterable, Job } from 'kintsugi';

/** What the job of this copy of the module has collected. */
export const collected = collect<{ readonly number: number; readonly root: number }>();

/** (numbers) ─▶ (roots, collected): the sink is an object of the process, and the functions run in workers. */
export default defineJob(() => {
  const job = Job.create('collecting', { parallelism: 2 });
  const numbers = {
    *[Symbol.iterator]() {
      for (let number = 0; number < 1_000; number++) yield number;
    },
  };
  job
    .source('numbers', fromIterable(numbers), { parallelism: 1 })
    .rebalance()
    .map((number) => ({ number, root: Math.sqrt(number) }), { uid: 'roots', parallelism: 2 })
    .sink('collected', collected);
  return job;
});
