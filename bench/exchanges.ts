import { type ExchangeName, Job, type JobRun, range, type Sink, systemEnvironment } from 'kintsugi';
import { type Bench, type BenchOptions, type BenchRow, compare, reading } from './harness.ts';
import { type Numbered, RawFrames, replayed, replayRow } from './retained-recovery.ts';

interface Row {
  readonly id: number;
  readonly name: string;
}

/** Rows that cost almost nothing to make, so the exchange and the garbage collection are measured. */
const rows: Numbered<Row> = {
  count: 1_000_000,
  recordOf: (id) => ({ id, name: `row ${id % 1_000}` }),
  idOf: ({ id }) => id,
};

/** Rows that cost about as much as a line of a file. */
const parsedRows: Numbered<Row> = {
  count: 400_000,
  recordOf: (id) =>
    JSON.parse(`{"id":${id},"from":"ZRH","to":"JFK","name":"LX 14","delay":${id % 60},"price":120.5}`) as Row,
  idOf: ({ id }) => id,
};

/** An exchange, and whether it holds records in memory. */
interface Way {
  readonly exchange: ExchangeName;
  readonly memoryBudgetBytes: number;
}

const plenty = 4e9;
const pipelined: Way = { exchange: 'pipelined', memoryBudgetBytes: plenty };
const memory: Way = { exchange: 'memory', memoryBudgetBytes: plenty };
const reliable: Way = { exchange: 'reliable', memoryBudgetBytes: plenty };
const blocking: Way = { exchange: 'blocking', memoryBudgetBytes: plenty };
const spilled: Way = { exchange: 'blocking', memoryBudgetBytes: 0 };

const kept: readonly { readonly name: string; readonly way: Way }[] = [
  { name: 'memory', way: memory },
  { name: 'reliable', way: reliable },
  { name: 'blocking', way: blocking },
  { name: 'blocking, spilled', way: spilled },
];

/**
 * Rows that cost nothing have no goals here: a loop that keeps them is a fraction as fast as one that drops them, and
 * only the former is a fair comparison.
 */
const loads: readonly {
  readonly what: string;
  readonly load: Numbered<Row>;
  /** By exchange. */
  readonly atLeast: Readonly<Record<string, number>>;
}[] = [
  { what: '1 M rows that cost nothing', load: rows, atLeast: {} },
  { what: '0.4 M rows parsed from JSON', load: parsedRows, atLeast: { memory: 0.9, blocking: 0.8 } },
];

/**
 * Sends rows through one exchange between two tasks, as a whole job; `atEnd` is called just before the consumer
 * finishes.
 */
async function through(
  { exchange, memoryBudgetBytes }: Way,
  { count, recordOf }: Numbered<Row> = rows,
  atEnd: (run: JobRun) => void = () => {},
): Promise<void> {
  let [arrived, sum] = [0, 0];
  const sink: Sink<Row> = {
    name: 'check',
    guarantee: 'at-least-once',
    open: () => ({
      write: (batch) => {
        for (const { id } of batch) sum += id;
        arrived += batch.length;
      },
      commit: () => atEnd(run),
      abort: () => {},
    }),
  };
  const job = Job.create('exchange', { mode: 'streaming' });
  job.source('ids', range(0, count)).map(recordOf).forward({ exchange }).sink('check', sink);
  const run = job.run({ memoryBudgetBytes, environment: systemEnvironment({ freezeRecords: false }) });
  await run.result;
  if (arrived !== count || sum !== (count * (count - 1)) / 2) throw new Error(`${arrived} of ${count} rows arrived`);
}

/** Bytes held per record, once the consumer has read the last record but has not finished. */
interface Held {
  /** As `run.storage()` reports. */
  readonly memory: number;
  readonly disk: number;
  /** As the process reports, for the whole job. */
  readonly heap: number;
}

async function heldBy(way: Way): Promise<Held> {
  const before = usedBytes();
  let held: Held | undefined;
  await through(way, rows, (run) => {
    const storage = run.storage();
    const sumOf = (bytes: (use: (typeof storage)[number]) => number): number =>
      storage.reduce((sum, use) => sum + bytes(use), 0) / rows.count;
    held = {
      memory: sumOf(({ memoryBytes }) => memoryBytes),
      disk: sumOf(({ diskBytes }) => diskBytes),
      heap: (usedBytes() - before) / rows.count,
    };
  });
  if (held === undefined) throw new Error('The consumer has not committed');
  return held;
}

/** Bytes in use: the JavaScript heap and its array buffers outside the heap. */
function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('Bytes can be counted only with node --expose-gc');
  // Twice: the second collection frees what the first one finalizes.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** The same rows by hand, one batch at a time, in an array that lives as long as the loop. */
function keepByHand(): number {
  const batches: Row[][] = [];
  let sum = 0;
  for (let start = 0; start < rows.count; start += 1_024) {
    const batch: Row[] = [];
    for (let id = start; id < Math.min(start + 1_024, rows.count); id++) batch.push(rows.recordOf(id));
    for (const { id } of batch) sum += id;
    batches.push(batch);
  }
  return sum + batches.length;
}

/** Converts ms to records per second. */
function perSecond(row: BenchRow, count = rows.count): BenchRow {
  const { ours, baseline = Number.NaN } = row;
  return { ...row, ours: count / ours / 1e3, baseline: count / baseline / 1e3, unit: 'M/s' };
}

/** Bytes per record, and the ratio to its encoded frame. */
function bytesRow(name: string, bytes: number, frameBytes: number): BenchRow {
  const times = reading(`held, ${name}, beside the encoded row`, 'B', [bytes / frameBytes], undefined, frameBytes);
  return { ...times, ours: bytes };
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const report: BenchRow[] = [];
  const rounds = { rounds: 9, warmUp: 3, collectsBefore: false, effort };
  for (const { what, load, atLeast } of loads) {
    for (const { name, way } of kept) {
      const goal = atLeast[name];
      const row = await compare({
        name: `${what}, through ${name}, beside pipelined`,
        ours: () => through(way, load),
        baseline: () => through(pipelined, load),
        ...(goal === undefined ? {} : { goal: { atLeast: goal } }),
        ...rounds,
      });
      report.push(perSecond(row, load.count));
    }
  }
  const byHand = await compare({
    name: '1 M rows that cost nothing, through memory, beside a loop that makes and keeps them',
    ours: () => through(memory),
    baseline: keepByHand,
    goal: { atLeast: 0.85 },
    ...rounds,
  });
  report.push(perSecond(byHand));
  const raw = new RawFrames(rows);
  try {
    report.push(...(await besideFile(raw, rounds)));
    const frameBytes = raw.bytes / rows.count;
    for (const { name, way } of [{ name: 'pipelined', way: pipelined }, ...kept]) {
      const held = await heldBy(way);
      report.push(
        bytesRow(`${name}: memory as run.storage() has it`, held.memory, frameBytes),
        bytesRow(`${name}: heap of the whole job`, held.heap, frameBytes),
        bytesRow(`${name}: disk`, held.disk, frameBytes),
      );
    }
  } finally {
    raw.remove();
  }
  return report;
}

/** The cost of keeping results in files, beside writing the same frames to a file by hand. */
async function besideFile(
  raw: RawFrames<Row>,
  rounds: {
    readonly rounds: number;
    readonly warmUp: number;
    readonly effort: number;
    readonly collectsBefore: boolean;
  },
): Promise<BenchRow[]> {
  const writeAndRead = (): void => {
    raw.write();
    raw.read();
  };
  const report = [
    await compare({
      name: 'reliable, consumer in step, beside encode + write + sync + read + decode of the same frames by hand',
      ours: () => through(reliable),
      baseline: writeAndRead,
      goal: { atLeast: 0.5 },
      ...rounds,
    }),
    await compare({
      name: 'the same, beside encode + write + sync alone (in step nothing is read)',
      ours: () => through(reliable),
      baseline: () => raw.write(),
      ...rounds,
    }),
    await compare({
      name: 'blocking, spilled (all is written, then all is read), beside encode + write + sync + read + decode',
      ours: () => through(spilled),
      baseline: writeAndRead,
      ...rounds,
    }),
  ].map((row) => perSecond(row));
  const { replay } = await replayed(rows, {
    rounds: Math.max(3, Math.round(rounds.rounds * rounds.effort)),
    warmUp: rounds.warmUp,
    kills: 1,
  });
  return [
    ...report,
    replayRow('reliable, late consumer, beside read + decode of the same frames by hand', rows.count, replay, 0.9),
  ];
}

/** The cost of retaining results. */
export const benches: readonly Bench[] = [{ name: 'exchanges', run }];
