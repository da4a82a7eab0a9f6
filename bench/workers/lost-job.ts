import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { defineJob, forEach, Job, range } from 'kintsugi';

/** Eight pipelines, each busy for a while. The worker of one of them ends at once, unless that is noted in `died` already. */
export default defineJob<'died'>(({ died = '' }) => {
  const job = Job.create('lost', { mode: 'streaming', parallelism: 8 });
  job
    .source('ids', range(0, 8))
    .mapAsync(async (id) => {
      // The others are to run by then.
      await setTimeout(300);
      if (id === 3 && !existsSync(died)) {
        writeFileSync(died, '');
        process.exit(1);
      }
      await setTimeout(1_500);
      return id;
    })
    .sink(
      'out',
      forEach(() => {}),
    );
  return job;
});
