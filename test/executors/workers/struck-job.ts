import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { blocking, type Exchange, defineJob, fromIterable, Job, memory, reliable, toJsonLinesFile } from 'kintsugi';
import { type Strike, strikes } from '../../support/strikes.ts';

export interface Counted {
  readonly key: string;
  readonly sum: number;
}

export const exchanges = { blocking, memory, reliable, pipelined: (): Exchange => 'pipelined' } as const;

export type ExchangeKind = keyof typeof exchanges;

const records = 4_000;

/**
 *   (numbers) ─exchange─▶ (squares) ─exchange, by key─▶ (sums, out)
 *
 * The records before the sums are kept beyond the job in the directory `kept` of the job's, if it has a name. The strike comes once in a run: whoever makes the directory `struck` is struck. `slow` comes with every twentieth record.
 */
export default defineJob<'exchange' | 'strike' | 'directory' | 'deterministic' | 'kept'>(
  ({ exchange = 'blocking', strike, directory = '.', deterministic, kept }) => {
    const job = Job.create('struck', { parallelism: 2, deterministic: deterministic === 'yes' });
    const numbers = {
      *[Symbol.iterator]() {
        for (let number = 0; number < records; number++) yield number;
      },
    };
    const by = exchanges[exchange as ExchangeKind]();
    const byKey = kept === undefined ? by : reliable({ keepResults: { directory: join(directory, kept) } });
    job
      .source('numbers', fromIterable(numbers), { parallelism: 1 })
      .rebalance({ exchange: by })
      .map(
        (number): Counted => {
          if (strike === 'slow') {
            if (number % 20 === 0) strikes.slow();
          } else if (number === records / 2 && strike !== undefined && isFirst(directory)) strikes[strike as Strike]();
          return { key: `key ${number % 7}`, sum: number };
        },
        { uid: 'squares', parallelism: 2 },
      )
      .keyBy(({ key }) => key, { exchange: byKey })
      .reduce((a, b) => ({ key: a.key, sum: a.sum + b.sum }), { uid: 'sums' })
      .sink('out', toJsonLinesFile(join(directory, 'out.jsonl')));
    return job;
  },
);

function isFirst(directory: string): boolean {
  try {
    mkdirSync(join(directory, 'struck'));
    return true;
  } catch {
    return false;
  }
}
