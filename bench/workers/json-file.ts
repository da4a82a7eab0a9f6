import { once } from 'node:events';
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Bench, type BenchOptions, type BenchRow, inDirectory, reading } from '../harness.ts';
import { type BuiltJob, builtJob, bundledModule } from './built-job.ts';
import type * as JsonJob from './json-job.ts';
import type { FilePart } from './json-pool.ts';

const bytes = 1_000_000_000;
const airports = ['ZRH', 'JFK', 'LHR', 'NRT', 'GRU', 'SYD', 'CPT'];

type Engine = BuiltJob<typeof JsonJob>;
type Total = Pick<JsonJob.AirportTotal, 'delay' | 'flights'>;
type Totals = ReadonlyMap<string, Total>;

/** Writes flights as lines of JSON until the file has about {@link bytes} bytes. */
function writeFlights(path: string): void {
  const file = openSync(path, 'w');
  let id = 0;
  for (let written = 0; written < bytes; ) {
    let text = '';
    for (let line = 0; line < 10_000; line++, id++) {
      const [from, to] = [airports[id % 7], airports[(id * 3 + 1) % 7]];
      text += `${JSON.stringify({ id, from, to, flight: `LX ${id % 400}`, delay: id % 60, price: 120.5 + (id % 100) })}\n`;
    }
    written += writeSync(file, text);
  }
  closeSync(file);
}

/** The first byte after the line that has the one in the middle of the file. */
function middleOf(path: string): number {
  const file = openSync(path, 'r');
  const at = Math.floor(statSync(path).size / 2);
  const bytesAt = Buffer.alloc(4_096);
  readSync(file, bytesAt, 0, bytesAt.length, at);
  closeSync(file);
  return at + bytesAt.indexOf(10) + 1;
}

/** Two workers, each with one half of the file. */
async function byHand(pool: string, path: string): Promise<Totals> {
  const middle = middleOf(path);
  const parts: readonly FilePart[] = [
    { path, start: 0, end: middle - 1 },
    { path, start: middle, end: Number.POSITIVE_INFINITY },
  ];
  const answers = await Promise.all(
    parts.map(async (workerData) => {
      const [sums] = (await once(new Worker(pool, { workerData }), 'message')) as [readonly [string, Total][]];
      return sums;
    }),
  );
  const totals = new Map<string, Total>();
  for (const [to, { delay, flights }] of answers.flat()) {
    const total = totals.get(to) ?? { delay: 0, flights: 0 };
    totals.set(to, { delay: total.delay + delay, flights: total.flights + flights });
  }
  return totals;
}

async function asJob(
  { default: delays, totals, systemEnvironment, workers, module }: Engine,
  path: string,
): Promise<Totals> {
  const environment = systemEnvironment({ freezeRecords: false });
  await delays({ path }).run({ environment, executors: workers({ count: 2, slots: 2, module }) }).result;
  return new Map(totals.records.map(({ to, delay, flights }) => [to, { delay, flights }]));
}

const inOrder = (totals: Totals): string => JSON.stringify([...totals].sort(([a], [b]) => (a < b ? -1 : 1)));

async function measured(engine: Engine, pool: string, path: string, effort: number): Promise<BenchRow[]> {
  writeFlights(path);
  const { clock } = engine.systemEnvironment();
  const timed = async (work: () => Promise<Totals>): Promise<[ms: number, totals: string]> => {
    const beganMs = clock.now();
    const totals = inOrder(await work());
    return [clock.now() - beganMs, totals];
  };
  const [ratios, baselines]: [number[], number[]] = [[], []];
  const rounds = Math.max(3, Math.round(5 * effort));
  for (let round = -1; round < rounds; round++) {
    const [handMs, expected] = await timed(() => byHand(pool, path));
    const [oursMs, totals] = await timed(() => asJob(engine, path));
    if (totals !== expected) throw new Error(`The job sums to ${totals}, not to ${expected}`);
    if (round < 0) continue;
    ratios.push(handMs / oursMs);
    baselines.push(handMs);
  }
  const baseline = baselines.sort((a, b) => a - b)[baselines.length >> 1] as number;
  const name = 'JSON lines of 1 GB, parsed and summed by key over two workers, beside a pool of two by hand';
  const row = reading(name, 'ms', ratios, { atLeast: 0.9 }, baseline);
  return [{ ...row, ours: baseline / row.value }];
}

function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  return inDirectory(async (directory) => {
    const engine = await builtJob<typeof JsonJob>('json-job', directory);
    const pool = await bundledModule('json-pool', directory);
    return measured(engine, pool, join(directory, 'flights.jsonl'), effort);
  });
}

/** What the engine costs beside a pool of workers for one purpose. */
export const benches: readonly Bench[] = [{ name: 'workers json', run }];
