import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineJob, Job, range, toJsonLinesFile } from 'kintsugi';

const ledgerOf = (directory: string): string => join(directory, 'ledger');

/** The calls made in a directory, by record. */
export function paidIn(directory: string): number[] {
  if (!existsSync(ledgerOf(directory))) return [];
  return readFileSync(ledgerOf(directory), 'utf8').trim().split('\n').map(Number);
}

/** Calls that take a while, over two tasks; each is noted when it is made. */
export default defineJob<'directory'>(({ directory = '.' }) => {
  const job = Job.create('paid', { parallelism: 2 });
  job
    .source('numbers', range(0, 40), { parallelism: 1 })
    .rebalance()
    .mapAsync(
      async (number) => {
        appendFileSync(ledgerOf(directory), `${number}\n`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return number * 2;
      },
      { uid: 'paid', concurrency: 4 },
    )
    .sink('out', toJsonLinesFile(join(directory, 'out.jsonl')));
  return job;
});
