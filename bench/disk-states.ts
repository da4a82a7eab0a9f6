import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { forEach, Job, lmdbState, range, systemEnvironment } from 'kintsugi';
import { open } from 'lmdb';
import { type Bench, type BenchOptions, type BenchRow, compare, reading } from './harness.ts';

/** For a quick look. */
const fewKeys = 1_000_000;
const manyKeys = 10_000_000;

/** Entries that are written in one transaction, by both. */
const perTransaction = 4_096;

const sampleMs = 250;

const root = join(import.meta.dirname, '..');
/** This file as it is bundled. */
const bundled = pathToFileURL(join(root, 'out', 'bench', 'disk-states.js')).href;

/** Records of `count` keys, a fifth of which come a second time. Keys come in no order. */
class Input {
  readonly count: number;
  readonly records: number;

  constructor(count: number) {
    this.count = count;
    this.records = count + count / 5;
  }

  readonly keyOf = (n: number): number => Math.imul(n < this.count ? n : (n * 7) % this.count, 0x9e_37_79_b1) >>> 0;

  check(sum: number, count: number): void {
    if (count !== this.count || sum !== (this.records * (this.records - 1)) / 2) {
      throw new Error(`${count} keys sum to ${sum}`);
    }
  }
}

async function inJob(input: Input, directory?: string): Promise<void> {
  const job = Job.create('sums', { mode: 'streaming' });
  let [total, count] = [0, 0];
  job
    .source('numbers', range(0, input.records))
    .keyBy(input.keyOf)
    .aggregate({ create: () => 0, add: (sum, n) => sum + n, result: (sum) => sum }, { emit: 'final' })
    .sink(
      'check',
      forEach((sum) => {
        total += sum;
        count++;
      }),
    );
  const stateBackend = directory === undefined ? undefined : lmdbState({ directory });
  await job.run({
    environment: systemEnvironment({ freezeRecords: false }),
    // What is compared is the state: no checkpoint is taken.
    checkpoints: { intervalMs: 24 * 60 * 60 * 1_000, ...(stateBackend && { stateBackend }) },
  }).result;
  input.check(total, count);
}

async function byHand(input: Input, directory: string): Promise<void> {
  const sums = open<number, number>({ path: directory, noSync: true, noMemInit: true, overlappingSync: false });
  for (let n = 0; n < input.records; ) {
    sums.transactionSync(() => {
      for (const end = Math.min(input.records, n + perTransaction); n < end; n++) {
        const key = input.keyOf(n);
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
  input.check(total, count);
}

/** What a process had at most while it ran the job, in bytes. */
interface Held {
  /** Of its own: the heap, and all else that is not the content of a file. */
  own: number;
  /** Pages of mapped files that were in memory. The system takes them back when it needs the room. */
  mapped: number;
  /** Of the files of the state. */
  files: number;
}

/** Runs the job in this process, which does nothing else. @param directory undefined for a state in memory */
export async function held(keyCount: number, directory?: string): Promise<Held> {
  const most: Held = { own: 0, mapped: 0, files: 0 };
  const sampling = setInterval(() => {
    const { own, mapped, files } = heldNow(directory);
    most.own = Math.max(most.own, own);
    most.mapped = Math.max(most.mapped, mapped);
    most.files = Math.max(most.files, files);
  }, sampleMs);
  await inJob(new Input(keyCount), directory);
  clearInterval(sampling);
  return most;
}

function heldNow(directory: string | undefined): Held {
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8');
  const bytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(rollup)?.[1]) * 1_024;
  const own = bytes('Anonymous');
  return { own, mapped: bytes('Rss') - own, files: directory === undefined ? 0 : bytesIn(directory) };
}

/** 0 before the job has made its directory, and after it has removed that. */
function bytesIn(directory: string): number {
  if (!existsSync(directory)) return 0;
  const names = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = names.filter((one) => one.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** The same in a process of its own. */
function heldElsewhere(keyCount: number, directory?: string): Held {
  const call = [keyCount, directory].map((one) => JSON.stringify(one)).join(', ');
  const program = `import { held } from ${JSON.stringify(bundled)}; console.log(JSON.stringify(await held(${call})));`;
  const args = ['--input-type=module', '--eval', program];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })) as Held;
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const keyCount = effort < 0.5 ? fewKeys : manyKeys;
  const keys = `${keyCount / 1e6} M keys`;
  const input = new Input(keyCount);
  // Not in /tmp, which may be memory.
  mkdirSync('out', { recursive: true });
  const home = mkdtempSync(join(root, 'out', 'disk-states-'));
  const inDirectory = (name: string, work: (input: Input, directory: string) => Promise<void>) => async () => {
    const directory = join(home, name);
    await work(input, directory);
    rmSync(directory, { recursive: true });
  };
  try {
    const speed = await compare({
      name: `sums of ${keys} on disk, a whole job, beside a loop over lmdb`,
      ours: inDirectory('ours', inJob),
      baseline: inDirectory('by-hand', byHand),
      ...{ clock: 'cpu', collectsBefore: false, rounds: 1, warmUp: 0, effort, goal: { atLeast: 0.6 } },
    });
    // What it reads is told by Linux alone.
    if (process.platform !== 'linux') return [speed];
    const onDisk = heldElsewhere(keyCount, join(home, 'held'));
    const inMemory = heldElsewhere(keyCount);
    return [
      speed,
      reading(`memory of a process with sums of ${keys} on disk, without mapped files`, 'B', [onDisk.own]),
      reading(`the same with the sums in memory, ${keys}`, 'B', [inMemory.own]),
      reading(`the files with the sums of ${keys}`, 'B', [onDisk.files]),
      reading(`pages of files that were in memory, sums of ${keys} on disk`, 'B', [onDisk.mapped]),
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** States larger than memory. A round takes some minutes of CPU time; with an effort below 0.5 there are a tenth of the keys. */
export const benches: readonly Bench[] = [{ name: 'states on disk', run }];
