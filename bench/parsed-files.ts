import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import {
  csvFile,
  Job,
  jsonLinesFile,
  parquetFile,
  range,
  type Sink,
  type Source,
  systemEnvironment,
  toParquetFile,
} from 'kintsugi';
import { type Bench, type BenchOptions, type BenchRow, compare, inDirectory } from './harness.ts';

const rowCount = 200_000;
const environment = systemEnvironment({ freezeRecords: false });

interface Flight {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly flight: string;
  readonly delay: number;
  readonly price: number;
}

const airports = ['ZRH', 'JFK', 'LHR', 'NRT', 'GRU', 'SYD', 'CPT'];

const flightAt = (id: number): Flight => ({
  id,
  from: airports[id % 7] as string,
  to: airports[(id * 3 + 1) % 7] as string,
  flight: `LX ${id % 400}`,
  delay: id % 60,
  price: 120.5 + (id % 100),
});

/** A file format: how rows are written, and how they are read, by a source and by the bare parser. */
interface Format {
  readonly name: string;
  readonly write: (path: string) => unknown;
  readonly source: (path: string) => Source<{ readonly delay?: unknown }>;
  /** Returns the number of rows. */
  readonly byHand: (path: string) => number | Promise<number>;
}

const flights = (): Flight[] => Array.from({ length: rowCount }, (_, id) => flightAt(id));

const formats: readonly Format[] = [
  {
    name: 'NDJSON, beside JSON.parse of each line',
    write: (path) =>
      writeFileSync(
        path,
        flights()
          .map((flight) => `${JSON.stringify(flight)}\n`)
          .join(''),
      ),
    source: (path) => jsonLinesFile<Flight>(path),
    byHand: (path) => {
      let [count, delays] = [0, 0];
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        if (line === '') continue;
        delays += (JSON.parse(line) as Flight).delay;
        count++;
      }
      return delays > 0 ? count : 0;
    },
  },
  {
    name: 'CSV, beside csv-parse',
    write: (path) => {
      const lines = flights().map(
        ({ id, from, to, flight, delay, price }) => `${id},${from},${to},${flight},${delay},${price}\n`,
      );
      writeFileSync(path, `id,from,to,flight,delay,price\n${lines.join('')}`);
    },
    source: (path) => csvFile(path),
    byHand: (path) => (parse(readFileSync(path), { columns: true }) as object[]).length,
  },
  {
    name: 'Parquet, beside hyparquet',
    write: (path) => {
      const job = Job.create('flights');
      job.source('ids', range(0, rowCount)).map(flightAt).sink('flights', toParquetFile(path));
      return job.run({ environment }).result;
    },
    source: (path) => parquetFile(path),
    byHand: async (path) => {
      const { buffer, byteOffset, byteLength } = await readFile(path);
      const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
      return (await parquetReadObjects({ file, compressors })).length;
    },
  },
];

/** Reads a file in a job; returns the number of rows. */
async function asJob(source: Source<object>): Promise<number> {
  let count = 0;
  const sink: Sink<object> = {
    name: 'count',
    guarantee: 'at-least-once',
    open: () => ({
      write: (rows) => {
        count += rows.length;
      },
      commit: () => {},
      abort: () => {},
    }),
  };
  const job = Job.create('parsed', { mode: 'streaming' });
  job.source('rows', source).sink('count', sink);
  await job.run({ environment }).result;
  return count;
}

async function rowOf({ name, write, source, byHand }: Format, effort: number): Promise<BenchRow> {
  return inDirectory(async (directory) => {
    const path = join(directory, 'flights');
    await write(path);
    const check = (count: number): void => {
      if (count !== rowCount) throw new Error(`${name}: ${count} of ${rowCount} rows were read`);
    };
    return compare({
      name: `${rowCount / 1e6} M rows of ${name}`,
      ours: async () => check(await asJob(source(path))),
      baseline: async () => check(await byHand(path)),
      goal: { atLeast: 0.9 },
      clock: 'cpu',
      collectsBefore: false,
      rounds: 9,
      warmUp: 3,
      effort,
    });
  });
}

async function run({ effort }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const format of formats) rows.push(await rowOf(format, effort));
  return rows;
}

/** The cost of reading files through a job, beside the parsers that it uses. */
export const benches: readonly Bench[] = [{ name: 'parsed-files', run }];
