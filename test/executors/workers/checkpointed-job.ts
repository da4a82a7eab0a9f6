import { existsSync, writeFileSync } from 'node:fs';
import { collect, defineJob, Job, type Source, toJsonLinesFile } from 'kintsugi';

export const count = 400;

/** What the second sink got. */
export const collectedNumbers = collect<number>();

/** The numbers of a subtask, five every few milliseconds. */
const ticking: Source<number> = {
  name: 'ticking',
  maxParallelism: 2,
  open({ subtask, parallelism, environment: { clock } }, _plan, from) {
    let next = (from as number | undefined) ?? subtask;
    return {
      position: () => next,
      close: () => {},
      read: () =>
        new Promise((resolve) => {
          clock.setTimeout(() => {
            if (next >= count) return resolve(null);
            const batch: number[] = [];
            for (; batch.length < 5 && next < count; next += parallelism) batch.push(next);
            resolve(batch);
          }, 4);
        }),
    };
  },
};

/**
 *   (ticks) ─reliable─▶ (numbers.jsonl)
 *           ─reliable─▶ (numbers)           all twice
 *
 * The thread of one task of the file ends at a number, once.
 *
 * @param path of the file
 */
export default defineJob(({ path = '' }) => {
  const job = Job.create('checkpointed', { parallelism: 2, mode: 'streaming' });
  const numbers = job.source('ticks', ticking);
  numbers
    .forward({ exchange: 'reliable' })
    .map(
      (number) => {
        if (number === 301 && !existsSync(`${path}.died`)) {
          writeFileSync(`${path}.died`, '');
          process.exit(1);
        }
        return { number };
      },
      { uid: 'dies' },
    )
    .sink('file', toJsonLinesFile(path));
  numbers.forward({ exchange: 'reliable' }).sink('numbers', collectedNumbers);
  return job;
});
