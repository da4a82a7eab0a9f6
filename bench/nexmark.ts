import { type Bench, type BenchOptions, type BenchRow, compare } from './harness.ts';
import { type Arrived, type Query, queries } from './nexmark/queries.ts';

/** So many that a sample takes a second. The fixed cost of a job has a row of its own. */
const eventCount = 20_000_000;

/** Events per second of CPU time, in millions, beside both loops. */
async function rowsOf(query: Query, effort: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const expected = JSON.stringify(query.byRecord(eventCount));
  const check = (arrived: Arrived): void => {
    if (JSON.stringify(arrived) !== expected)
      throw new Error(`${query.name}: ${JSON.stringify(arrived)} arrived, not ${expected}`);
  };
  check(query.byBatch(eventCount));
  for (const [baseline, byHand] of [
    ['a loop over records', query.byRecord],
    ['a loop over batches', query.byBatch],
  ] as const) {
    const row = await compare({
      name: `Nexmark ${query.name}, beside ${baseline}`,
      ours: async () => check(await query.asJob(eventCount)),
      baseline: () => byHand(eventCount),
      clock: 'cpu',
      collectsBefore: false,
      effort,
    });
    rows.push({ ...row, ours: perSecond(row.ours), baseline: perSecond(row.baseline as number), unit: 'M/s' });
  }
  return rows;
}

function perSecond(ms: number): number {
  return eventCount / ms / 1e3;
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const query of queries) rows.push(...(await rowsOf(query, effort)));
  return rows;
}

/** Nexmark's queries that need no state, beside the same by hand. */
export const benches: readonly Bench[] = [{ name: 'nexmark', run }];
