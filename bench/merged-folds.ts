import { fromArray, Job, type Sink, systemEnvironment } from 'kintsugi';
import { type Bench, type BenchOptions, type BenchRow, compare } from './harness.ts';

interface Sale {
  readonly shop: number;
  readonly amount: number;
}

interface Total {
  sum: number;
}

const saleCount = 2_000_000;
const parallelism = 4;

/** How often a key comes, by the number of a sale. */
const spreads: readonly { readonly what: string; readonly shopOf: (n: number) => number }[] = [
  { what: '1,000 keys', shopOf: (n) => n % 1_000 },
  { what: '1 M equally frequent keys', shopOf: (n) => n % 1_000_000 },
  { what: '1 M keys, half of the records of 100', shopOf: (n) => n % (n % 2 === 0 ? 200 : 1_000_000) },
];

/** In an order that no key knows. */
function salesOf(shopOf: (n: number) => number): readonly Sale[] {
  return Array.from({ length: saleCount }, (_, index) => {
    const n = (index * 7_919_111) % saleCount;
    return { shop: shopOf(n), amount: n % 101 };
  });
}

const sum = {
  create: (): Total => ({ sum: 0 }),
  add: (total: Total, { amount }: Sale): Total => {
    total.sum += amount;
    return total;
  },
  result: (total: Total, shop: number) => ({ shop, sum: total.sum }),
};

const merging = {
  ...sum,
  merge: (total: Total, other: Total): Total => {
    total.sum += other.sum;
    return total;
  },
};

/** Sums by shop behind a shuffle; checks the sum of all sums. */
async function summed(
  sales: readonly Sale[],
  aggregation: typeof sum,
  exchange: 'pipelined' | 'reliable',
): Promise<void> {
  let check = 0;
  const sink: Sink<{ readonly sum: number }> = {
    name: 'check',
    guarantee: 'at-least-once',
    open: () => ({
      write: (totals) => {
        for (const total of totals) check += total.sum;
      },
      commit: () => {},
      abort: () => {},
    }),
  };
  const job = Job.create('sales', { mode: 'streaming', parallelism });
  job
    .source('sales', fromArray(sales))
    .keyBy(({ shop }) => shop, { exchange })
    .aggregate(aggregation, { emit: 'final' })
    .sink('check', sink);
  await job.run({ environment: systemEnvironment({ freezeRecords: false }) }).result;
  const expected = sales.reduce((total, { amount }) => total + amount, 0);
  if (check !== expected) throw new Error(`the job sums to ${check}, not ${expected}`);
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const exchange of ['pipelined', 'reliable'] as const) {
    for (const { what, shopOf } of spreads) {
      // Not before: millions of objects would make every collection of the other benches longer.
      const sales = salesOf(shopOf);
      rows.push(
        await compare({
          name: `fold of ${saleCount / 1e6} M records with merge, over a ${exchange} shuffle, ${what}, beside without`,
          ours: () => summed(sales, merging, exchange),
          baseline: () => summed(sales, sum, exchange),
          clock: 'cpu',
          collectsBefore: false,
          rounds: 7,
          warmUp: 2,
          effort,
        }),
      );
    }
  }
  return rows;
}

/** What `merge` gains: a fold that begins before its shuffle, beside one that does not. */
export const benches: readonly Bench[] = [{ name: 'merged-folds', run }];
