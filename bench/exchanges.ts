import { type ExchangeName, Job, range, type Sink, systemEnvironment } from 'kintsugi';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeBatch } from '../src/partitions/record-codec.ts';
import { type Bench, type BenchOptions, type BenchRow, compare } from './harness.ts';

const count = 1_000_000;
const batchSize = 1_024;

interface Row {
  readonly id: number;
  readonly name: string;
}

const rowOf = (id: number): Row => ({ id, name: `row ${id % 1_000}` });

/** Rows through one exchange between two tasks, to their number. */
async function through(exchange: ExchangeName): Promise<number> {
  let rows = 0;
  const sink: Sink<Row> = {
    name: 'count',
    guarantee: 'at-least-once',
    open: () => ({
      write: (batch) => {
        rows += batch.length;
      },
      commit: () => {},
      abort: () => {},
    }),
  };
  const job = Job.create('exchange', { mode: 'streaming' });
  job.source('ids', range(0, count)).map(rowOf).forward({ exchange }).sink('count', sink);
  await job.run({ batchSize, memoryBudgetBytes: 4e9, environment: systemEnvironment({ freezeRecords: false }) }).result;
  if (rows !== count) throw new Error(`${rows} of ${count} rows arrived`);
  return rows;
}

/** The same bytes written to a file and read again, a batch at a time, by nobody else. */
function rawFile(): number {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const file = openSync(join(directory, 'raw'), 'w+');
    const sizes: number[] = [];
    for (let start = 0; start < count; start += batchSize) {
      const rows = Array.from({ length: Math.min(batchSize, count - start) }, (_, at) => rowOf(start + at));
      const frame = encodeBatch(rows);
      writeSync(file, frame);
      sizes.push(frame.length);
    }
    let position = 0;
    for (const size of sizes) {
      readSync(file, Buffer.allocUnsafe(size), 0, size, position);
      position += size;
    }
    closeSync(file);
    return position;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const rounds = { rounds: 9, warmUp: 3, collectsBefore: false, effort };
  for (const [exchange, goal] of [
    ['memory', 0.9],
    ['reliable', undefined],
    ['blocking', undefined],
  ] as const) {
    rows.push(
      await compare({
        name: `${count / 1e6} M rows through the exchange ${exchange}, beside pipelined`,
        ours: () => through(exchange),
        baseline: () => through('pipelined'),
        ...(goal === undefined ? {} : { goal: { atLeast: goal } }),
        ...rounds,
      }),
    );
  }
  rows.push(
    await compare({
      name: `${count / 1e6} M rows through the exchange reliable, beside encoding, writing and reading the same bytes`,
      ours: () => through('reliable'),
      baseline: rawFile,
      goal: { atLeast: 0.5 },
      ...rounds,
    }),
  );
  return rows;
}

/** What it costs that results are kept. */
export const benches: readonly Bench[] = [{ name: 'exchanges', run }];
