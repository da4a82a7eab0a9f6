import { forEach, Job, memoryCheckpoints, range, systemEnvironment } from 'kintsugi';
import { type Bench, type BenchOptions, type BenchRow, compare, reading } from './harness.ts';

const intervalMs = 1_000;
/** A round takes so long, on any machine: in a short one most is the time in which V8 compiles what a checkpoint calls. */
const roundMs = 5_000;
const fewerRecords = 20_000_000;

/** What the checkpoints of a run were like. */
interface Taken {
  /** The longest time for which a task stood still, in ms. */
  readonly pauseMs: number;
  /** Bytes written by the one that wrote least, of all its bytes: the others are of checkpoints before it. */
  readonly leastWritten: number;
  /** From the trigger of the one that wrote most until it was stored, in ms, */
  readonly fullMs: number;
  /** and of the one that wrote least. */
  readonly incrementalMs: number;
}

/** Sums by key; after each was seen once, records of `changing` of them follow. */
async function summed(changing: number, everyMs?: number, keyCount = changing, records = fewerRecords): Promise<Taken> {
  const job = Job.create('sums', { mode: 'streaming' });
  let check = 0n;
  job
    .source('numbers', range(0, keyCount + records))
    .keyBy((n) => (n < keyCount ? n : n % changing))
    .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { emit: 'final' })
    .sink(
      'check',
      forEach((sum) => {
        check += BigInt(sum);
      }),
    );
  const run = job.run({
    environment: systemEnvironment({ freezeRecords: false }),
    ...(everyMs !== undefined && { checkpoints: { intervalMs: everyMs, storage: memoryCheckpoints() } }),
  });
  await run.result;
  const last = BigInt(keyCount + records - 1);
  if (check !== (last * (last + 1n)) / 2n) throw new Error(`the job sums to ${check}`);
  const completed = run.checkpoints().flatMap(({ latest }) => latest.filter(({ state }) => state === 'completed'));
  const written = ({ bytes = 0, referencedBytes = 0 }: (typeof completed)[number]): number => bytes - referencedBytes;
  // Without those at which the task had finished.
  const taken = completed.filter(({ bytes = 0 }) => bytes > 0).sort((a, b) => written(b) - written(a));
  const [full, incremental] = [taken.at(0), taken.at(-1)];
  return {
    fullMs: full?.durationMs ?? Number.NaN,
    incrementalMs: incremental?.durationMs ?? Number.NaN,
    pauseMs: Math.max(0, ...completed.flatMap(({ tasks = [] }) => tasks.map(({ snapshotMs }) => snapshotMs))),
    leastWritten: Math.min(...taken.map((one) => written(one) / (one.bytes ?? 0))),
  };
}

/** How many records make a round of the right length. */
async function recordsOfRound(keys: number): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = process.cpuUsage();
    await summed(keys);
    const { user, system } = process.cpuUsage(before);
    leastMs = Math.min(leastMs, (user + system) / 1_000);
  }
  return Math.ceil(fewerRecords * Math.max(1, roundMs / leastMs));
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [keys, atLeast] of [
    [10_000, 0.95],
    [100_000, 0.8],
  ] as const) {
    const records = await recordsOfRound(keys);
    rows.push(
      await compare({
        // Not of a million: those that change would lie together after a checkpoint, and be faster to reach than without.
        name: `sums of ${keys.toLocaleString('en')} keys that all change, with a checkpoint each second, beside none`,
        ours: () => summed(keys, intervalMs, keys, records),
        baseline: () => summed(keys, undefined, keys, records),
        ...{ clock: 'cpu', collectsBefore: false, rounds: 7, warmUp: 1, effort, goal: { atLeast } },
      }),
    );
  }
  const large: Taken[] = [];
  for (let round = 0; round < 3; round++) large.push(await summed(100_000, intervalMs, 1_000_000));
  const pauses = large.map(({ pauseMs }) => pauseMs);
  rows.push(reading('longest pause of a task for a checkpoint of 1 M keys', 'ms', pauses, { atMost: 10 }));
  const full = large.map(({ fullMs }) => fullMs);
  rows.push(reading('a full checkpoint of 1 M keys, in memory, while 100,000 of them change', 'ms', full));
  const incremental = large.map(({ incrementalMs }) => incrementalMs);
  rows.push(
    reading('an incremental checkpoint of 1 M keys, in memory, while 100,000 of them change', 'ms', incremental),
  );
  const largeShares = large.map(({ leastWritten }) => leastWritten);
  rows.push(
    reading('bytes of a checkpoint with 100,000 of 1 M keys changed, of those of a full one', '×', largeShares),
  );
  // Fewer keys: a full checkpoint of a million takes as long as the job.
  const shares: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { leastWritten } = await summed(1_000, 200, 100_000);
    shares.push(leastWritten);
  }
  rows.push(
    reading('bytes of a checkpoint with 1,000 of 100,000 keys changed, of those of a full one', '×', shares, {
      atMost: 0.1,
    }),
  );
  return rows;
}

/** What checkpoints cost a job with a large state. */
export const benches: readonly Bench[] = [{ name: 'checkpoints', run }];
