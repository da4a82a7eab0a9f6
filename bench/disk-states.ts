import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { forEach, Job, lmdbState, range, systemEnvironment } from 'kintsugi';
import { open } from 'lmdb';
import { type Bench, type BenchOptions, type BenchRow, compare } from './harness.ts';

const keyCount = 10_000_000;
/** Records of keys that are there already. */
const updateCount = keyCount / 5;
const recordCount = keyCount + updateCount;

/** Entries that are written in one transaction, by both. */
const perTransaction = 4_096;

/** Keys come in no order. */
const keyOf = (n: number): number => Math.imul(n < keyCount ? n : (n * 7) % keyCount, 0x9e_37_79_b1) >>> 0;

function check(sum: number, count: number): void {
  if (count !== keyCount || sum !== (recordCount * (recordCount - 1)) / 2) {
    throw new Error(`${count} keys sum to ${sum}`);
  }
}

async function inJob(directory: string): Promise<void> {
  const job = Job.create('sums', { mode: 'streaming' });
  let [total, count] = [0, 0];
  job
    .source('numbers', range(0, recordCount))
    .keyBy(keyOf)
    .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { emit: 'final' })
    .sink(
      'check',
      forEach((sum) => {
        total += sum;
        count++;
      }),
    );
  await job.run({
    environment: systemEnvironment({ freezeRecords: false }),
    // What is compared is the state: no checkpoint is taken.
    checkpoints: { intervalMs: 24 * 60 * 60 * 1_000, stateBackend: lmdbState({ directory }) },
  }).result;
  check(total, count);
}

async function byHand(directory: string): Promise<void> {
  const sums = open<number, number>({ path: directory, noSync: true, noMemInit: true, overlappingSync: false });
  for (let n = 0; n < recordCount; ) {
    sums.transactionSync(() => {
      for (const end = Math.min(recordCount, n + perTransaction); n < end; n++) {
        const key = keyOf(n);
        sums.putSync(key, (sums.get(key) ?? 0) + n);
      }
    });
  }
  let [total, count] = [0, 0];
  for (const { value } of sums.getRange()) {
    total += value;
    count++;
  }
  await sums.close();
  check(total, count);
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  // Not in /tmp, which may be memory.
  mkdirSync('out', { recursive: true });
  const home = mkdtempSync(join('out', 'disk-states-'));
  const inDirectory = (name: string, work: (directory: string) => Promise<void>) => async () => {
    const directory = join(home, name);
    await work(directory);
    rmSync(directory, { recursive: true });
  };
  try {
    return [
      await compare({
        name: 'sums of 10 M keys on disk, a whole job, beside a loop over lmdb',
        ours: inDirectory('ours', inJob),
        baseline: inDirectory('by-hand', byHand),
        ...{ clock: 'cpu', collectsBefore: false, rounds: 1, warmUp: 0, effort, goal: { atLeast: 0.6 } },
      }),
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** States larger than memory. A round takes some minutes of CPU time. */
export const benches: readonly Bench[] = [{ name: 'states on disk', run }];
