import { fixedDelay, Job, range, reliable, type Sink, systemEnvironment } from 'kintsugi';
import { type FaultPlace, faultPlan } from 'kintsugi/testing';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeElement, encodeElement } from '../src/partitions/records/element-codec.ts';
import { elementOf, type Records } from '../src/partitions/stream-element.ts';
import { type Bench, type BenchOptions, type BenchRow, reading } from './harness.ts';

const batchSize = 1_024;

/** Bytes per read of the baseline. */
const rawReadBytes = 1_024 * 1_024;

/** Approximate maximum size of an integer in a frame. */
const bytesPerNumber = 5.1;

/** Consecutive failures before the consumer may read to the end: one recovery measurement each. */
const killsPerRun = 9;

/** Records numbered from 0 by the source and checked by the sink. */
export interface Numbered<Out> {
  readonly count: number;
  readonly recordOf: (id: number) => Out;
  readonly idOf: (record: Out) => number;
}

/** A consumer of a reliable result that fails, and then reads everything from the beginning. */
export interface Recovered {
  /** From each failure until the consumer runs, in ms. */
  readonly recoveriesMs: readonly number[];
  /** From then until it has the last record again, in ms. */
  readonly replayMs: number;
}

/**
 * A job whose consumer fails near the end of its input, then `kills - 1` times at its first batch, and then reads to
 * the end. Everything is retained at every failure, except the producer's last few batches at the first one.
 */
export async function killed<Out>({ count, recordOf, idOf }: Numbered<Out>, kills: number): Promise<Recovered> {
  const expected = (count * (count - 1)) / 2;
  let [endMs, isRight] = [0, false];
  const sink: Sink<Out> = {
    name: 'check',
    guarantee: 'at-least-once',
    open: () => {
      let [rows, sum] = [0, 0];
      return {
        write: (batch) => {
          let ofBatch = 0;
          for (const record of batch) ofBatch += idOf(record);
          sum += ofBatch;
          rows += batch.length;
          if (rows === count) endMs = performance.now();
        },
        commit: () => {
          isRight = rows === count && sum === expected;
        },
        abort: () => {},
      };
    },
  };
  const faults = faultPlan();
  const isDue = ({ vertex, attempt, records }: FaultPlace): boolean =>
    vertex === 'check' && (attempt !== 0 || (records as number) >= count - 2 * batchSize);
  faults.fail('task.batch', { when: isDue, times: kills });
  const job = Job.create('retained', { mode: 'streaming' });
  job.source('ids', range(0, count)).map(recordOf).forward({ exchange: reliable() }).sink('check', sink);
  const run = job.run({
    batchSize,
    restartBackoff: fixedDelay({ delayMs: 0, maxAttempts: kills }),
    spillDirectory: tmpdir(),
    environment: systemEnvironment({ freezeRecords: false, faults }),
  });
  const recoveriesMs: number[] = [];
  let [failedMs, runningMs] = [0, 0];
  run.events$.subscribe((event) => {
    if (event.type === 'task.failed') failedMs = event.atMs;
    if (event.type !== 'task.stateChanged' || event.state !== 'running') return;
    if (event.task !== 'check[0]' || event.attempt === 0) return;
    runningMs = event.atMs;
    recoveriesMs.push(runningMs - failedMs);
  });
  const { receipt } = await run.result;
  const producerAttempts = receipt.attemptsByVertex['ids'];
  if (!isRight) throw new Error(`After a failure the consumer did not get the same ${count} records`);
  if (producerAttempts !== 1 || receipt.records.read !== count) {
    throw new Error(`The producer ran ${producerAttempts} times and read ${receipt.records.read} of ${count} records`);
  }
  if (recoveriesMs.length !== kills) throw new Error(`${recoveriesMs.length} of ${kills} failures were recovered`);
  return { recoveriesMs, replayMs: endMs - runningMs };
}

/** The frames of the same records in a file written by hand. */
export class RawFrames<Out> {
  readonly #records: Numbered<Out>;
  readonly #directory = mkdtempSync(join(tmpdir(), 'bench-'));
  readonly #file = openSync(join(this.#directory, 'raw'), 'w+');
  #lengths: number[] = [];

  constructor(records: Numbered<Out>) {
    this.#records = records;
  }

  /** Length of the file. */
  get bytes(): number {
    return this.#lengths.reduce((sum, length) => sum + length, 0);
  }

  /** Encodes the records and writes them, one batch at a time; syncs at the end. */
  write(): void {
    const { count, recordOf } = this.#records;
    this.#lengths = [];
    let position = 0;
    for (let start = 0; start < count; start += batchSize) {
      const batch: Out[] = [];
      for (let id = start; id < Math.min(start + batchSize, count); id++) batch.push(recordOf(id));
      const frame = encodeElement(elementOf(batch), { subpartition: 0, sequence: start });
      writeSync(this.#file, frame, 0, frame.length, position);
      position += frame.length;
      this.#lengths.push(frame.length);
    }
    fdatasyncSync(this.#file);
  }

  /** Reads and decodes them, many frames per read, and checks the sum. */
  read(): void {
    const { count, idOf } = this.#records;
    const lengths = this.#lengths;
    let [position, rows, sum] = [0, 0, 0];
    for (let first = 0, next = 0; first < lengths.length; first = next) {
      let bytes = 0;
      while (next < lengths.length && bytes < rawReadBytes) bytes += lengths[next++] as number;
      const frames = Buffer.allocUnsafeSlow(bytes);
      readSync(this.#file, frames, 0, bytes, position);
      position += bytes;
      for (let index = first, at = 0; index < next; index++) {
        const end = at + (lengths[index] as number);
        const element = decodeElement(frames.subarray(at, end), { subpartition: 0, sequence: rows });
        const batch = (element as Records).records as readonly Out[];
        at = end;
        for (const record of batch) sum += idOf(record);
        rows += batch.length;
      }
    }
    if (rows !== count || sum !== (count * (count - 1)) / 2)
      throw new Error('The file written by hand has other records');
  }

  remove(): void {
    closeSync(this.#file);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/**
 * Reading a retained result from its beginning, beside reading and decoding the same frames by hand; and the
 * recoveries.
 */
export async function replayed<Out>(
  records: Numbered<Out>,
  { rounds, warmUp, kills }: { readonly rounds: number; readonly warmUp: number; readonly kills: number },
): Promise<{ readonly recoveriesMs: number[]; readonly firstMs: number[]; readonly replay: Replay }> {
  const raw = new RawFrames(records);
  const [recoveriesMs, firstMs]: [number[], number[]] = [[], []];
  const replay: Replay = { oursMs: [], rawMs: [] };
  try {
    raw.write();
    for (let round = -warmUp; round < rounds; round++) {
      const ours = await killed(records, kills);
      const startMs = performance.now();
      raw.read();
      const rawMs = performance.now() - startMs;
      if (round < 0) continue;
      recoveriesMs.push(...ours.recoveriesMs);
      firstMs.push(ours.recoveriesMs[0] as number);
      replay.oursMs.push(ours.replayMs);
      replay.rawMs.push(rawMs);
    }
  } finally {
    raw.remove();
  }
  return { recoveriesMs, firstMs, replay };
}

/** The times of each round. */
export interface Replay {
  readonly oursMs: number[];
  readonly rawMs: number[];
}

/** A replay as a row: records per second, and the speed relative to the baseline. */
export function replayRow(name: string, count: number, { oursMs, rawMs }: Replay, atLeast: number): BenchRow {
  const perSecond = (ms: readonly number[]): number =>
    reading(
      '',
      '',
      ms.map((one) => count / one / 1e3),
    ).ours;
  const ratios = reading(
    name,
    'M/s',
    oursMs.map((ms, round) => (rawMs[round] as number) / ms),
    { atLeast },
    perSecond(rawMs),
  );
  return { ...ratios, ours: perSecond(oursMs) };
}

const numbers = (count: number): Numbered<number> => ({ count, recordOf: (id) => id, idOf: (record) => record });

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const sizes = [
    { millions: 1, rounds: Math.max(3, Math.round(15 * effort)), warmUp: 8 },
    { millions: 10, rounds: Math.max(1, Math.round(3 * effort)), warmUp: 0 },
    { millions: 100, rounds: effort < 1 ? 0 : Math.round(effort), warmUp: 0 },
  ];
  const medians: { readonly millions: number; readonly ms: number }[] = [];
  for (const { millions, rounds, warmUp } of sizes) {
    const count = millions * 1e6;
    const problem = rounds === 0 ? 'it takes --effort 1 or more' : shortageFor(count);
    if (problem !== undefined) {
      process.stderr.write(`retained-recovery: ${millions} M records are left out: ${problem}\n`);
      continue;
    }
    const { recoveriesMs, firstMs, replay } = await replayed(numbers(count), { rounds, warmUp, kills: killsPerRun });
    const retained = `${millions} M records retained`;
    const recovery = reading(`${retained}: failure of the one consumer → it runs`, 'ms', recoveriesMs, { atMost: 10 });
    rows.push(
      recovery,
      reading(`${retained}: the first of these failures alone, near its end`, 'ms', firstMs),
      replayRow(`${retained}: replay to the last, beside reading and decoding by hand`, count, replay, 0.5),
    );
    medians.push({ millions, ms: recovery.ours });
  }
  const [few, many] = [medians[0], medians.at(-1)];
  if (few !== undefined && many !== undefined && few !== many) {
    const name = `recovery: growth ${few.millions} M → ${many.millions} M records retained`;
    rows.push(reading(name, '×', [many.ms / few.ms], { atMost: 2 }));
  }
  return rows;
}

/** Why there is not enough disk space for a result of integers and the baseline's file. */
function shortageFor(count: number): string | undefined {
  const { bavail, bsize } = statfsSync(tmpdir());
  const neededBytes = 2 * count * bytesPerNumber + 1e9;
  if (bavail * bsize >= neededBytes) return undefined;
  return `${tmpdir()} has ${Math.floor((bavail * bsize) / 1e6)} MB free, and they take ${Math.ceil(neededBytes / 1e6)}`;
}

/**
 * One consumer of a reliable exchange fails and reads everything again. The time until it runs must not depend on the
 * size of the result, and it reads at the speed of the file (cached by the system, here and in the baseline).
 */
export const benches: readonly Bench[] = [{ name: 'retained-recovery', run }];
