import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  collect,
  csvFile,
  type DeadLetter,
  fromArray,
  Job,
  jsonLinesFile,
  parquetFile,
  type RejectRecord,
  type Source,
  toParquetFile,
} from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rejected-rows-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const at = (name: string): string => join(directory, name);
const file = (name: string, content: string | Buffer): string => {
  writeFileSync(at(name), content);
  return at(name);
};

/** Long enough for several blocks, and for several splits. */
const count = 3_000;
const isBad = (n: number): boolean => n % 500 === 7;
const bad = Array.from({ length: count }, (_, n) => n).filter(isBad);
const good = Array.from({ length: count }, (_, n) => n).filter((n) => !isBad(n));
const padding = 'x'.repeat(300);

interface Row {
  readonly n: number;
}

/** A file with a bad row now and then, and the line of row `n`. */
interface Format {
  readonly source: (path: string, onError: RejectRecord<string>) => Source<Row>;
  readonly text: (isWhole: boolean) => string;
  readonly lineOf: (n: number) => number;
  /** What a dead letter holds of row `n`. */
  readonly raw: (n: number) => string;
}

const lines = (lineOf: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => `${lineOf(n)}\n`).join('');
const toRow = ({ n }: Readonly<Record<string, string>>): Row => {
  if (Number.isNaN(Number(n))) throw new Error(`${n} is no number`);
  return { n: Number(n) };
};
const jsonLine = (n: number): string => `{"n":${n},"padding":"${padding}"}`;

const formats: Readonly<Record<string, Format>> = {
  'NDJSON that is not JSON': {
    source: (path, onError) => jsonLinesFile<Row>(path, { onError }),
    text: () => lines((n) => (isBad(n) ? `{"n":${n},` : jsonLine(n))),
    lineOf: (n) => n + 1,
    raw: (n) => `{"n":${n},`,
  },
  'NDJSON that `parse` refuses': {
    source: (path, onError) =>
      jsonLinesFile(path, {
        onError,
        parse: (value) => {
          if ((value as { n: number }).n < 0) throw new Error('below 0');
          return value as Row;
        },
      }),
    text: () => lines((n) => jsonLine(isBad(n) ? -n : n)),
    lineOf: (n) => n + 1,
    raw: (n) => jsonLine(-n),
  },
  'CSV with too few values': {
    source: (path, onError) => csvFile(path, { parse: toRow, newlinesInValues: false, onError }),
    text: () => `n,padding\n${lines((n) => (isBad(n) ? `${n}` : `${n},${padding}`))}`,
    lineOf: (n) => n + 2,
    raw: (n) => `${n}`,
  },
  'CSV with a broken quote': {
    source: (path, onError) => csvFile(path, { parse: toRow, newlinesInValues: false, onError }),
    text: () => `n,padding\n${lines((n) => (isBad(n) ? `${n},"a"b"` : `${n},"${padding}"`))}`,
    lineOf: (n) => n + 2,
    raw: (n) => `${n},"a"b"`,
  },
  'CSV that `parse` refuses': {
    source: (path, onError) => csvFile(path, { parse: toRow, newlinesInValues: false, onError }),
    text: () => `n,padding\n${lines((n) => `${isBad(n) ? `no ${n}` : n},${padding}`)}`,
    lineOf: (n) => n + 2,
    raw: (n) => `no ${n},${padding}`,
  },
};

async function read(source: Source<Row>, parallelism: number) {
  const environment = virtualEnvironment();
  const job = Job.create('rows', { parallelism });
  const out = collect<Row>();
  const late = collect<DeadLetter<Row>>();
  job
    .source('rows', source)
    .map(
      (row) => {
        if (isLate(row.n)) throw new Error('late');
        return row;
      },
      { uid: 'late', onError: { deadLetter: late } },
    )
    .sink('out', out);
  const { receipt } = await environment.drive(job.run({ environment, batchSize: 64 }).result);
  return { numbers: out.records.map(({ n }) => n).toSorted((a, b) => a - b), receipt, late: late.records };
}

const isLate = (n: number): boolean => n % 100 === 8;
const kept = good.filter((n) => !isLate(n));

describe.each(Object.entries(formats))('%s', (_, format) => {
  describe.each([
    ['a file', 1, false],
    ['a file in three splits', 3, false],
    ['a compressed file', 1, true],
  ])('in %s', (_place, parallelism, isPacked) => {
    const written = (): string => {
      const text = format.text(true);
      return isPacked ? file('rows.gz', gzipSync(text)) : file('rows', text);
    };

    it('is skipped, and counted', async () => {
      const { numbers, receipt } = await read(format.source(written(), 'skip'), parallelism);
      expect(numbers).toEqual(kept);
      expect(receipt.rejected.find(({ operator }) => operator === 'rows')).toEqual({
        operator: 'rows',
        skipped: bad.length,
        deadLetters: 0,
        replaced: 0,
      });
    });

    it('is a dead letter with its text and its line, and later records keep theirs', async () => {
      const path = written();
      const letters = collect<DeadLetter<string>>();
      const { numbers, late } = await read(format.source(path, { deadLetter: letters }), parallelism);
      expect(numbers).toEqual(kept);
      expect(letters.records.map(({ record, position, operator }) => [record, position, operator])).toEqual(
        bad.map((n) => [format.raw(n), `${path}:${format.lineOf(n)}`, 'rows']),
      );
      expect(letters.records[0]?.error).toMatchObject({
        name: 'MalformedInputError',
        data: { file: path, line: format.lineOf(bad[0] as number) },
      });
      // Each search in a compressed file costs a decompression, so there are a few only.
      const isFound = (index: number): boolean => !isPacked || index < 16;
      const found = late.filter((_, index) => isFound(index));
      expect(found.map(({ record, position }) => [record?.n, position])).toEqual(
        good.filter(isLate).flatMap((n, index) => (isFound(index) ? [[n, `${path}:${format.lineOf(n)}`]] : [])),
      );
    });
  });
});

describe('Parquet', () => {
  const written = async (): Promise<string> => {
    const environment = virtualEnvironment();
    const job = Job.create('write');
    const rows = Array.from({ length: 40 }, (_, n) => ({ n, big: n % 10 === 3 ? 2n ** 60n : BigInt(n) }));
    job
      .source('rows', fromArray(rows))
      .sink(
        'out',
        toParquetFile(at('rows.parquet'), { columns: { n: 'double', big: 'int64' }, rowGroupSize: 16 } as never),
      );
    await environment.drive(job.run({ environment }).result);
    return at('rows.parquet');
  };
  const numbersOf = (isLeftOut: (n: number) => boolean): number[] =>
    Array.from({ length: 40 }, (_, n) => n).filter((n) => !isLeftOut(n) && !isLate(n));

  it('rows with a value that does not fit are dead letters, without that value', async () => {
    const path = await written();
    const letters = collect<DeadLetter<Readonly<Record<string, unknown>>>>();
    const source = parquetFile<Row>(path, { int64: 'number', onError: { deadLetter: letters } });
    const { numbers, late } = await read(source, 1);
    expect(numbers).toEqual(numbersOf((n) => n % 10 === 3));
    expect(letters.records.map(({ record, position }) => [record, position])).toEqual(
      [3, 13, 23, 33].map((n) => [{ n }, `${path}: row ${n + 1}`]),
    );
    expect(late.map(({ position }) => position)).toEqual([`${path}: row 9`]);
  });

  it('rows that `parse` refuses are answered for by a function', async () => {
    const source = parquetFile<Row>(await written(), {
      columns: ['n'],
      parse: ({ n }) => {
        if (Number(n) % 10 === 3) throw new Error('no');
        return { n: Number(n) };
      },
      onError: (error, { n }, { position }) => ({ n: -Number(n), error: error.message, position }),
    });
    const { numbers } = await read(source, 2);
    expect(numbers).toEqual([-33, -23, -13, -3, ...numbersOf((n) => n % 10 === 3)]);
  });
});

it('too many bad rows fail the job', async () => {
  const path = file('rows', 'no\n{"n":1}\nno\n{"n":2}\nno\n');
  const limited = jsonLinesFile<Row>(path, { onError: 'skip', maxErrors: { share: 0.5, atLeast: 1 } });
  await expect(read(limited, 1)).rejects.toMatchObject({
    cause: { code: 'TOO_MANY_ERRORS', operator: 'rows', errors: 2, records: 3 },
  });
});

it('what JSON alone decides is deterministic, what a function decides is not', () => {
  const deterministic = (options: Parameters<typeof jsonLinesFile>[1]) => jsonLinesFile('rows', options).deterministic;
  expect(deterministic({ onError: 'skip' })).toBe(true);
  expect(deterministic({ onError: () => 1 })).toBe(false);
  expect(deterministic({ onError: 'skip', parse: (value) => value })).toBe(false);
  const job = Job.create('rows');
  const source = jsonLinesFile('rows', { onError: 'skip', parse: (value) => value });
  expect(() => job.source('rows', source, { deterministic: true })).toThrow('deterministic of "rows"');
});
