import { collect, defineJob, Job, range } from 'kintsugi';

/** What the map returned. */
export const results = collect<number>();

/** A map that takes about 0.1 ms for each record, in two tasks. */
export default defineJob<'count'>(({ count = '1000' }) => {
  const job = Job.create('cpu-bound', { parallelism: 2 });
  job
    .source('ids', range(0, Number(count)))
    .map((id) => {
      let sum = id;
      for (let step = 0; step < 100_000; step++) sum = (Math.imul(sum, 31) + step) | 0;
      return sum;
    })
    .sink('out', results);
  return job;
});
