import { collect, Job, range, type Sink, type Source, systemEnvironment } from 'kintsugi';
import { subpartitionOfKey } from '../src/partitions/records/key-hash.ts';
import { type Bench, type BenchOptions, type BenchRow, compare, measure } from './harness.ts';

/** A typical pipeline record: a string key and two numbers. */
interface Reading {
  readonly sensor: string;
  readonly value: number;
  readonly quality: number;
}

const distinctCount = 1_000_000;
/** So many that a sample takes a second. The fixed cost of a job, before its first record, has a row of its own. */
const recordCount = 50 * distinctCount;
const batchSize = 1_000;
const ways = 4;

const readingAt = (index: number): Reading => ({
  sensor: `sensor-${(index * 7_919) % 1_000}`,
  value: index % 1_013,
  quality: index % 10,
});

/** All of them while the bench runs, none while others do: they take 100 MB, which each collection would walk. */
let readings: readonly Reading[] = [];

const scale = (reading: Reading): { sensor: string; value: number } => ({
  sensor: reading.sensor,
  value: reading.quality > 4 ? reading.value * 2 : reading.value,
});
const isUseful = (reading: { value: number }): boolean => reading.value % 5 !== 0;

/** Hands out the batches without copying them, so only the engine is measured. */
const source = (count: number): Source<Reading> => ({
  name: 'readings',
  maxParallelism: 1,
  open: () => {
    let next = 0;
    return {
      read: (max) => {
        if (next >= count) return null;
        const batch = batchAt(next, Math.min(max, count - next));
        next += batch.length;
        return batch;
      },
      close: () => {},
    };
  },
});

function batchAt(start: number, max: number): Reading[] {
  const at = start % distinctCount;
  return readings.slice(at, at + max);
}

interface Total {
  readonly sensor: string;
  readonly sum: number;
}

/** The job: map → filter → keyed sum. Returns the sum of all sums. */
async function asJob(parallelism: number, count = recordCount): Promise<number> {
  let check = 0;
  const sink: Sink<Total> = {
    name: 'check',
    guarantee: 'at-least-once',
    open: () => ({
      write: (totals) => {
        for (const { sum } of totals) check += sum;
      },
      commit: () => {},
      abort: () => {},
    }),
  };
  const job = Job.create('bench', { mode: 'streaming' });
  job
    .source('readings', source(count))
    .map(scale)
    .filter(isUseful)
    .keyBy((reading) => reading.sensor)
    .aggregate(
      {
        create: () => ({ sum: 0 }),
        add: (total, { value }) => {
          total.sum += value;
          return total;
        },
        result: ({ sum }, sensor): Total => ({ sensor, sum }),
      },
      { emit: 'final', parallelism },
    )
    .sink('check', sink);
  await job.run({ batchSize, environment: systemEnvironment({ freezeRecords: false }) }).result;
  return check;
}

/** The same by hand, on batches of the same size. */
function byHand(): number {
  const sums = new Map<string, { sum: number }>();
  for (let start = 0; start < recordCount; start += batchSize) {
    for (const reading of batchAt(start, batchSize)) add(sums, reading);
  }
  return total([sums]);
}

/** The same by hand with a shuffle: routes each record to one of four batches, and sums each full batch. */
function byHandRouted(): number {
  const sums = Array.from({ length: ways }, () => new Map<string, { sum: number }>());
  const batches = Array.from({ length: ways }, (): { sensor: string; value: number }[] => []);
  const sumUp = (way: number): void => {
    const own = sums[way] as Map<string, { sum: number }>;
    for (const { sensor, value } of batches[way] as { sensor: string; value: number }[]) {
      const cell = own.get(sensor);
      if (cell === undefined) own.set(sensor, { sum: value });
      else cell.sum += value;
    }
    batches[way] = [];
  };
  for (let start = 0; start < recordCount; start += batchSize) {
    for (const reading of batchAt(start, batchSize)) {
      const scaled = scale(reading);
      if (!isUseful(scaled)) continue;
      const way = subpartitionOfKey(scaled.sensor, ways);
      const batch = batches[way] as { sensor: string; value: number }[];
      batch.push(scaled);
      if (batch.length === batchSize) sumUp(way);
    }
  }
  for (let way = 0; way < ways; way++) sumUp(way);
  return total(sums);
}

const heavyCount = 10_000;

/** About 0.1 ms of work. */
function heavy(id: number): number {
  let sum = id;
  for (let step = 0; step < 100_000; step++) sum = (Math.imul(sum, 31) + step) | 0;
  return sum;
}

async function heavyJob(): Promise<void> {
  const results = collect<number>();
  const job = Job.create('heavy');
  job
    .source('ids', range(0, heavyCount))
    .map((id) => heavy(id))
    .sink('out', results);
  await job.run({ environment: systemEnvironment({ freezeRecords: false }) }).result;
  if (results.records.length !== heavyCount) throw new Error('Not everything ran');
}

function heavyByHand(): void {
  const results: number[] = [];
  for (let id = 0; id < heavyCount; id++) results.push(heavy(id));
  if (results.length !== heavyCount) throw new Error('Not everything ran');
}

function add(sums: Map<string, { sum: number }>, reading: Reading): void {
  const scaled = scale(reading);
  if (!isUseful(scaled)) return;
  const cell = sums.get(scaled.sensor);
  if (cell === undefined) sums.set(scaled.sensor, { sum: scaled.value });
  else cell.sum += scaled.value;
}

function total(maps: readonly ReadonlyMap<string, { sum: number }>[]): number {
  let check = 0;
  for (const map of maps) for (const { sum } of map.values()) check += sum;
  return check;
}

async function agree(ours: () => Promise<number>, baseline: () => number): Promise<void> {
  const [mine, theirs] = [await ours(), baseline()];
  if (mine !== theirs || mine === 0) throw new Error(`the job sums to ${mine}, the loop to ${theirs}`);
}

async function run(options: BenchOptions): Promise<BenchRow[]> {
  readings = Array.from({ length: distinctCount }, (_, index) => readingAt(index));
  try {
    return await measured(options);
  } finally {
    readings = [];
  }
}

async function measured({ effort }: BenchOptions): Promise<BenchRow[]> {
  await agree(() => asJob(1), byHand);
  await agree(() => asJob(ways), byHandRouted);
  return [
    await measure({
      name: 'a whole job without records, first line to last',
      run: () => asJob(1, 0),
      collectsBefore: false,
      effort,
    }),
    await compare({
      name: `fused chain: map → filter → keyed sum of ${recordCount / 1e6} M records, a whole job`,
      ours: () => asJob(1),
      baseline: byHand,
      goal: { atLeast: 0.92 },
      clock: 'cpu',
      collectsBefore: false,
      effort,
    }),
    await compare({
      name: `the same through a ${ways}-way hash shuffle`,
      ours: () => asJob(ways),
      baseline: byHandRouted,
      goal: { atLeast: 0.75 },
      clock: 'cpu',
      collectsBefore: false,
      effort,
    }),
    await compare({
      name: `a map that takes 0.1 ms for each of ${heavyCount.toLocaleString('en')} records, a whole job`,
      ours: heavyJob,
      baseline: heavyByHand,
      goal: { atLeast: 0.95 },
      clock: 'cpu',
      collectsBefore: false,
      rounds: 5,
      warmUp: 1,
      effort,
    }),
  ];
}

/** The cost of moving records through the engine instead of a loop. */
export const benches: readonly Bench[] = [{ name: 'data-plane', run }];
