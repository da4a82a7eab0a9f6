import { forEach, Job, memoryCheckpoints, range, systemEnvironment } from 'kintsugi';
import { type Bench, type BenchOptions, type BenchRow, compare, reading } from './harness.ts';

const keyCount = 1_000_000;
const recordCount = 20_000_000;
const intervalMs = 1_000;

/** What the checkpoints of a run were like. */
interface Taken {
  /** The longest time for which a task stood still, in ms. */
  readonly pauseMs: number;
  /** Bytes written by each completed one. */
  readonly writtenBytes: readonly number[];
}

/** Sums by key, of which there are a million; after these were seen once, records of `changing` of them follow. */
async function summed(changing: number, everyMs?: number): Promise<Taken> {
  const job = Job.create('sums', { mode: 'streaming' });
  let check = 0;
  job
    .source('numbers', range(0, keyCount + recordCount))
    .keyBy((n) => (n < keyCount ? n : n % changing))
    .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { emit: 'final' })
    .sink(
      'check',
      forEach((sum) => {
        check += sum;
      }),
    );
  const run = job.run({
    environment: systemEnvironment({ freezeRecords: false }),
    ...(everyMs !== undefined && { checkpoints: { intervalMs: everyMs, storage: memoryCheckpoints() } }),
  });
  await run.result;
  const last = keyCount + recordCount - 1;
  if (check !== (last * (last + 1)) / 2) throw new Error(`the job sums to ${check}`);
  const completed = run.checkpoints().flatMap(({ latest }) => latest.filter(({ state }) => state === 'completed'));
  return {
    pauseMs: Math.max(0, ...completed.flatMap(({ tasks = [] }) => tasks.map(({ snapshotMs }) => snapshotMs))),
    // Without those at which the task had finished.
    writtenBytes: completed.flatMap(({ bytes = 0, referencedBytes = 0 }) => (bytes > 0 ? bytes - referencedBytes : [])),
  };
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const pauses: number[] = [];
  const shares: number[] = [];
  for (const [changing, atLeast] of [
    [10_000, 0.95],
    [100_000, 0.8],
  ] as const) {
    rows.push(
      await compare({
        name: `sums of 1 M keys, of which ${changing.toLocaleString('en')} change, with a checkpoint each second, beside none`,
        ours: async () => {
          const { pauseMs, writtenBytes } = await summed(changing, intervalMs);
          pauses.push(pauseMs);
          if (changing === 10_000) shares.push(Math.min(...writtenBytes) / Math.max(...writtenBytes));
        },
        baseline: () => summed(changing),
        ...{ clock: 'cpu', collectsBefore: false, rounds: 3, warmUp: 1, effort, goal: { atLeast } },
      }),
    );
  }
  rows.push(reading('longest pause of a task for a checkpoint of 1 M keys', 'ms', pauses, { atMost: 10 }));
  rows.push(
    reading('bytes of a checkpoint with 10,000 of 1 M keys changed, of those of a full one', '×', shares, {
      atMost: 0.1,
    }),
  );
  return rows;
}

/** What checkpoints cost a job with a large state. */
export const benches: readonly Bench[] = [{ name: 'checkpoints', run }];
