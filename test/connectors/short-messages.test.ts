import { writeFileSync } from 'node:fs';
import { csvFile } from '../../src/connectors/csv/csv-file.ts';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { toCsvFile } from '../../src/connectors/csv/to-csv-file.ts';
import { toJsonLinesFile } from '../../src/connectors/json/to-json-lines-file.ts';
import { toParquetFile, type ToParquetFileOptions } from '../../src/connectors/parquet/to-parquet-file.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import { RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { encodeBatch } from '../support/batch-frames.ts';
import { failureOf, planSource, readSubtask, scratchDirectory, writeSubtask } from './subtasks.ts';

/** User data in a message is cut, and the text after it is there. */
const most = 700;
const long = 'name '.repeat(20_000);
const at = scratchDirectory();
let files = 0;
const fileOf = (content: string): string => {
  const path = at(`${files++}`);
  writeFileSync(path, content);
  return path;
};

/** `inner`, inside as many objects as a record may nest. */
function deep(inner: unknown, depth = 150, key = long): unknown {
  let value = inner;
  for (let level = 0; level < depth; level++) value = { [key]: value };
  return value;
}

async function assertShort(failing: Promise<unknown>, ...parts: RegExp[]): Promise<void> {
  const { message } = await failureOf(failing);
  expect(message.length).toBeLessThan(most);
  for (const part of parts) expect(message).toMatch(part);
}

describe('values that cannot be written are reported briefly', () => {
  const row = (value: unknown): object => ({ [long]: value });
  const parquet = (options: ToParquetFileOptions<object> = {}): Sink<object> => toParquetFile(at('out'), options);

  it.each<[title: string, sink: () => Sink<object>, records: object[], parts: RegExp[]]>([
    [
      'NDJSON: deep',
      () => toJsonLinesFile(at('out')),
      [deep(NaN) as object],
      [/NaN has no JSON form\. Map to plain data/],
    ],
    ['NDJSON: a long key', () => toJsonLinesFile(at('out')), [row(1n)], [/a bigint has no JSON form\. Set `int64`/]],
    [
      'CSV: a long column',
      () => toCsvFile(at('out'), { columns: [long as never] }),
      [row(() => 1)],
      [/a function has no/],
    ],
    [
      'CSV: deep',
      () => toCsvFile(at('out'), { columns: ['a' as never] }),
      [{ a: deep(NaN) }],
      [/NaN has no JSON form/],
    ],
    ['Parquet: a long column', parquet, [row(1), row('x')], [/expected a number, got "x"\. Set `columns`/]],
    ['Parquet: a long text', parquet, [{ a: 1 }, { a: long }], [/expected a number, got "name/, /Set `columns`/]],
    ['Parquet: deep', parquet, [{ a: deep(NaN) }], [/expected what JSON can hold.*Set `columns`/]],
    ['Parquet: a new column', () => parquet({ rowGroupSize: 1 }), [{ a: 1 }, row(1)], [/did not occur.*Set `columns`/]],
    ['Parquet: no object', parquet, [long as never], [/expected an object, got "name/]],
  ])('%s', async (_title, sinkOf, records, parts) => {
    await assertShort(writeSubtask(sinkOf(), records), ...parts);
  });

  it.each<[title: string, record: unknown]>([
    ['deep', deep(() => 1)],
    ['deeper than a record may be', deep(1, 300)],
    ['a class with a long name', new ({ [long]: class {} }[long] as new () => object)()],
  ])('an exchange: %s', async (_title, record) => {
    const encoding = Promise.resolve().then(() => encodeBatch([record]));
    expect(await failureOf(encoding)).toBeInstanceOf(RecordNotSerializableError);
    await assertShort(encoding, /^A record cannot be spilled: \$.*Map to plain data/);
  });
});

describe('values that cannot be read are reported briefly', () => {
  it.each<[title: string, source: () => Source<unknown>, parts: RegExp[]]>([
    [
      'NDJSON: deep',
      () => jsonLinesFile(fileOf(JSON.stringify(deep(2)).replace(/2(?=})/, '1e999'))),
      [/Set `decimals`/],
    ],
    [
      'NDJSON: a long key',
      () => jsonLinesFile(fileOf(`{"${long}":9007199254740993}`)),
      [/9007199254740993 does not.*Set/],
    ],
    ['NDJSON: a long number', () => jsonLinesFile(fileOf(`1${'0'.repeat(100_000)}`)), [/does not fit.*Set `int64`/]],
    ['CSV: a duplicate name', () => csvFile(fileOf(`${long},${long}\n`)), [/there are two called "name/]],
    ['CSV: a quote in a long column', () => csvFile(fileOf(`${long},b\n"x"y,2\n`)), [/not doubled in column "name/]],
    [
      'CSV: other columns',
      () => csvFile([fileOf(`${long}\n1\n`), fileOf('a\n1\n')]),
      [/has no column "name.*Read files with other columns/],
    ],
    ['columns that are not known', () => parquetFile(wide(), { columns: ['x'] }), [/columns of .*got "x"/]],
  ])('%s', async (_title, sourceOf, parts) => {
    await assertShort(readSubtask(sourceOf()), ...parts);
  });

  let path = '';
  const wide = (): string => path;
  beforeAll(async () => {
    path = at('wide');
    await writeSubtask(toParquetFile(path), [
      Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`c${n}`, n])),
    ]);
    expect(await planSource(parquetFile(path))).toBeDefined();
  });

  it('errors of `parse` are cut as well', async () => {
    const parse = (): never => {
      throw new Error(long);
    };
    const failure = await failureOf(readSubtask(jsonLinesFile(fileOf('1'), { parse })));
    expect(failure.message).toHaveLength(2_000);
    expect(failure.cause).toMatchObject({ message: long });
  });
});
