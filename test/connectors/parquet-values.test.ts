import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { type ParquetFileOptions, parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { systemEnvironment } from '../../src/environment.ts';
import { contextOf, drain, failureOf, readSubtask, scratchDirectory } from './subtasks.ts';

type Row = Readonly<Record<string, unknown>>;
type Options = ParquetFileOptions<Row>;

const fixture = (name: string) => join(__dirname, 'fixtures/parquet', name);
const at = scratchDirectory();

/** The columns of a fixture. */
async function columnOf(file: string, column: string, options: Options = {}): Promise<unknown[]> {
  const rows = await readSubtask(parquetFile<Row>(fixture(file), { ...options, columns: [column] }));
  return rows.map((row) => row[column]);
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const date = (text: string) => new Date(text);
const noon = date('2024-02-29T12:34:56.123Z');
const picture = bytes(0x89, 0x50, 0x4e, 0x47, 0xff, 0xd8, 0x00, 0x80);

describe('a value that fits a number or a Date becomes one, and options decide about the others', () => {
  it.each<[file: string, column: string, options: Options, values: unknown[]]>([
    ['decimals', 'int32', {}, [0.1, -1234567.89, null]],
    ['decimals', 'int64', {}, [0.0001, -12345678901.2345, null]],
    ['decimals', 'fixed', {}, [0.1, -12345.6789012345, null]],
    ['decimals', 'int32', { decimals: 'string' }, ['0.10', '-1234567.89', null]],
    ['decimals', 'int64', { decimals: 'string' }, ['0.0001', '-12345678901.2345', null]],
    ['decimals', 'long', { decimals: 'string' }, ['1.0000000000', '1234567890123456789.0123456789', null]],
    ['decimals', 'whole', { decimals: 'string' }, ['9007199254740992', '9007199254740993', null]],
    ['decimals', 'whole', { decimals: 'rounded' }, [9007199254740992, 9007199254740992, null]],
    ['texts', 'json', {}, [{ a: [1, null] }, JSON.parse('{"__proto__":{"admin":true}}')]],
    ['decimals', 'wide', { decimals: 'string' }, ['-0.01', `${'1'.repeat(40)}.25`, null]],
    ['binary', 'plain', {}, [picture, bytes(), null]],
    ['binary', 'dictionary', {}, [bytes(0xf0), bytes(0xf1), bytes(0xf0)]],
    ['binary', 'fixed', {}, [bytes(0, 1, 0xfe, 0xff), bytes(97, 98, 99, 100), null]],
    ['binary', 'list', {}, [[bytes(0xfe), null], [], null]],
    ['binary', 'struct', {}, [{ b: bytes(0xc3) }, { b: null }, null]],
    ['binary', 'map', {}, [{ k: bytes(0xff) }, {}, null]],
    ['binary', 'words', { binary: 'utf8' }, ['継ぎ', 'plain', null]],
    ['binary', 'fixed', { binary: 'utf8' }, [bytes(0, 1, 0xfe, 0xff), bytes(97, 98, 99, 100), null]],
    ['binary', 'map', { binary: 'base64' }, [{ k: '/w==' }, {}, null]],
    ['binary', 'text', {}, ['\ufeffBOM stays', '', null]],
    ['times', 'ms', {}, [noon, noon, null]],
    ['times', 'us', {}, [noon, noon, null]],
    ['times', 'ns', {}, [noon, noon, null]],
    ['times', 'local', {}, [noon, noon, null]],
    ['times', 'ms', { int64: 'bigint' }, [noon, noon, null]],
    ['times', 'us', { int64: 'bigint' }, [1709210096123456n, 1709210096123000n, null]],
    ['times', 'ns', { timestamps: 'bigint' }, [1709210096123456789n, 1709210096123000000n, null]],
    ['times', 'ms', { timestamps: 'bigint' }, [1709210096123n, 1709210096123n, null]],
    ['times', 'us', { timestamps: 'string' }, ['2024-02-29T12:34:56.123456Z', '2024-02-29T12:34:56.123000Z', null]],
    ['times', 'local', { timestamps: 'string' }, ['2024-02-29T12:34:56.123456', '2024-02-29T12:34:56.123000', null]],
    ['times', 'date', {}, [date('2024-02-29'), date('0001-01-01'), null]],
    ['times', 'date', { timestamps: 'string' }, ['2024-02-29', '0001-01-01', null]],
    ['times', 't32', {}, ['01:02:03.004', '23:59:59.999', null]],
    ['times', 't64', {}, ['01:02:03.000004', '00:00:00.000000', null]],
    ['times', 'tns', {}, ['00:00:00.000000001', '23:59:59.999999999', null]],
    ['times', 't64', { timestamps: 'bigint' }, [3723000004n, 0n, null]],
    ['old-times', 'us', {}, [-1, -1, -2, -2208988800000, -62135596800000].map((ms) => new Date(ms))],
    ['old-times', 'ns', {}, [-1, -1, -2, 0, 0].map((ms) => new Date(ms))],
    ['old-times', 'us', { timestamps: 'bigint' }, [-1n, -1000n, -1001n, -2208988800000000n, -62135596800000000n]],
    [
      'old-times',
      'far',
      { timestamps: 'string' },
      [
        '+275760-09-13T00:00:00.000Z',
        '+275760-09-13T00:00:01.000Z',
        '0000-01-01T00:00:00.000Z',
        '1970-01-01T00:00:00.000Z',
        '1970-01-01T00:00:01.000Z',
      ],
    ],
    ['int96', 'at', {}, [noon, noon, new Date(-1), new Date(-1), null]],
    ['int96', 'at', { timestamps: 'bigint' }, [1709210096123456789n, 1709210096123000000n, -1n, -1000000n, null]],
    ['integers', 'i8', {}, [-128, 127]],
    ['integers', 'u8', {}, [0, 255]],
    ['integers', 'u16', {}, [0, 65535]],
    ['integers', 'u32', {}, [2147483648, 4294967295]],
    ['integers', 'u32s', {}, [[4294967295, null], []]],
    ['integers', 'i64', { int64: 'string' }, ['-9007199254740991', '9007199254740992']],
    ['integers', 'u64', { int64: 'string' }, ['9007199254740991', '18446744073709551615']],
    ['integers', 'u64', { int64: 'bigint' }, [9007199254740991n, 18446744073709551615n]],
    ['integers', 'f16', {}, [1.5, -Infinity]],
    ['integers', 'f32', {}, [0.5, NaN]],
    ['integers', 'none', {}, [null, null]],
    ['texts', 'uuid', {}, ['12345678-9abc-def0-1234-56789abcdef0', '00000000-0000-0000-0000-000000000000']],
    ['texts', 'kind', {}, ['b', 'a']],
    ['maps', 'ids', {}, [{ '-1': 'a', '9007199254740991': 'b' }, null]],
    ['maps', 'days', { maps: 'entries' }, [[[date('2024-02-29'), 1]], []]],
    [
      'maps',
      'double',
      { maps: 'entries' },
      [
        [['a', 1]],
        [
          ['a', 1],
          ['a', 2],
        ],
      ],
    ],
    ['maps', 'deep', {}, [{ a: { b: 1.25 } }, { a: null }]],
    ['maps', 'deep', { decimals: 'string' }, [{ a: { b: '1.25' } }, { a: null }]],
    ['duckdb', 'price', {}, [12.3]],
    ['duckdb', 'tiny', {}, [0.1]],
    ['duckdb', 'span', {}, ['P14M3DT12.345S']],
    ['duckdb', 'kind', {}, ['b']],
    ['duckdb', 'bytes', {}, [bytes(97, 98, 255)]],
    ['duckdb', 'deep', {}, [{ a: [1, null], b: { x: 1.5 } }]],
  ])('%s: %s with %p', async (file, column, options, values) => {
    expect(await columnOf(`${file}.parquet`, column, options)).toEqual(values);
  });
});

describe('the first unfit value is an error that names row, column and option', () => {
  it.each<[file: string, column: string, options: Options, row: number, problem: string]>([
    ['integers', 'i64', {}, 2, "9007199254740992 does not fit into a number. Set `int64: 'bigint'` or 'string'"],
    ['integers', 'u64', {}, 2, "18446744073709551615 does not fit into a number. Set `int64: 'bigint'` or 'string'"],
    [
      'decimals',
      'whole',
      {},
      2,
      "9007199254740993 has more digits than a number holds. Set `decimals: 'string'` or 'rounded'",
    ],
    [
      'decimals',
      'long',
      {},
      2,
      "1234567890123456789.0123456789 has more digits than a number holds. Set `decimals: 'string'` or 'rounded'",
    ],
    [
      'times',
      'us',
      { timestamps: 'date' },
      1,
      "2024-02-29T12:34:56.123456Z is finer than a Date holds. Set `timestamps: 'bigint'` or 'string', or 'floor' to drop digits",
    ],
    [
      'old-times',
      'us',
      { timestamps: 'date' },
      1,
      "1969-12-31T23:59:59.999999Z is finer than a Date holds. Set `timestamps: 'bigint'` or 'string', or 'floor' to drop digits",
    ],
    [
      'old-times',
      'far',
      {},
      2,
      "+275760-09-13T00:00:01.000Z is beyond what a Date holds. Set `timestamps: 'bigint'` or 'string'",
    ],
    [
      'int96',
      'at',
      { timestamps: 'date' },
      1,
      "2024-02-29T12:34:56.123456789 is finer than a Date holds. Set `timestamps: 'bigint'` or 'string', or 'floor' to drop digits",
    ],
    ['broken-text', 'text', {}, 2, 'not valid UTF-8, although the file calls it text (fffe626164…)'],
    [
      'binary',
      'plain',
      { binary: 'utf8' },
      1,
      "not valid UTF-8. Set `binary: 'bytes'` or 'base64' (89504e47ffd80080…)",
    ],
    ['binary', 'list', { binary: 'utf8' }, 1, "not valid UTF-8. Set `binary: 'bytes'` or 'base64' (fe…)"],
    ['binary', 'struct', { binary: 'utf8' }, 1, "not valid UTF-8. Set `binary: 'bytes'` or 'base64' (c3…)"],
    ['binary', 'map', { binary: 'utf8' }, 1, "not valid UTF-8. Set `binary: 'bytes'` or 'base64' (ff…)"],
    ['maps', 'double', {}, 2, 'a map has the key "a" twice. Set `maps: \'entries\'`'],
  ])('%s: %s with %p', async (file, column, options, row, problem) => {
    const failure = await failureOf(columnOf(`${file}.parquet`, column, options));
    const message = `${fixture(file)}.parquet, row ${row}: column "${column}": ${problem}`;
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', row, message });
  });

  it('rows are counted through the whole file', async () => {
    const element: SchemaElement = { name: 'id', type: 'INT64', repetition_type: 'REQUIRED' };
    const path = fileOf([element], { id: [1n, 2n, 3n, 2n ** 60n] }, { rowGroupSize: 3 });
    expect(await failureOf(readSubtask(parquetFile(path)))).toMatchObject({ row: 4 });
  });
});

it('digits that a Date drops are logged once per column', async () => {
  const warnings: unknown[] = [];
  const logger = { ...systemEnvironment().logger, warn: (message: string) => warnings.push(message) };
  const columns = ['ms', 'us', 'repeated'];
  const source = parquetFile(fixture('times.parquet'), { columns });
  await drain(await source.open(contextOf({ environment: systemEnvironment({ logger }) })));
  const told = (column: string) =>
    `${fixture('times.parquet')}: column "${column}" has digits below the millisecond, which a Date drops. Set \`timestamps\``;
  expect(warnings).toEqual([told('us'), told('repeated')]);
});

it('bytes do not keep their page in memory', async () => {
  const held = (await columnOf('binary.parquet', 'plain')) as (Uint8Array | null)[];
  expect(held.map((value) => value?.buffer.byteLength)).toEqual([8, 0, undefined]);
});

describe('names', () => {
  const deep = Object.fromEntries([
    ['__proto__', { admin: true }],
    ['constructor', 1],
    ['a.b', 2],
    ['', 3],
  ]);
  const whole = Object.fromEntries([
    ['a', { b: 1 }],
    ['a.b', 2],
    ['', 3],
    ['toString', 4],
    ['__proto__', deep],
    ['list', [deep]],
    [
      'map',
      Object.fromEntries([
        ['__proto__', 5],
        ['constructor', 6],
        ['', 7],
      ]),
    ],
  ]);

  it('any name is an own property, at every depth', async () => {
    const [row] = await readSubtask(parquetFile<Row>(fixture('names.parquet')));
    expect(Object.entries(row as Row)).toEqual(Object.entries(whole));
    expect(prototypesIn(row).every((prototype) => prototype === Object.prototype)).toBe(true);
  });

  it.each(Object.keys(whole))('the column %p can be requested', async (name) => {
    const [row] = await readSubtask(parquetFile<Row>(fixture('names.parquet'), { columns: [name] }));
    expect(Object.entries(row as Row)).toEqual([[name, Object.getOwnPropertyDescriptor(whole, name)?.value]]);
  });

  it('two columns with the same name are refused, unless neither is requested', async () => {
    const path = fixture('twice.parquet');
    expect((await failureOf(columnOf('twice.parquet', 'a'))).message).toBe(`${path}: two columns are called "a"`);
    expect(await columnOf('twice.parquet', 'b')).toEqual([2]);
  });

  function prototypesIn(value: unknown): unknown[] {
    if (typeof value !== 'object' || value === null) return [];
    const members: unknown[] = Object.values(value);
    return [...(Array.isArray(value) ? [] : [Object.getPrototypeOf(value)]), ...members.flatMap(prototypesIn)];
  }
});

describe('nested lists, structs and maps, with nulls at each depth, over pages', () => {
  it.each(['nested-v1.parquet', 'nested-v2.parquet'])('%s', async (file) => {
    const rows = await readSubtask(parquetFile<Row>(fixture(file)));
    expect(rows).toEqual(JSON.parse(readFileSync(fixture('nested.json'), 'utf8')));
  });
});

/**
 * A file in a form that today's writers no longer write: it is stored as `stored`, and its schema is replaced by
 * `shown`, which has other annotations, or lacks the last level.
 */
function fileOf(
  stored: readonly SchemaElement[],
  columns: Readonly<Record<string, unknown[]>>,
  { shown = stored, rowGroupSize = 9 }: { shown?: readonly SchemaElement[]; rowGroupSize?: number } = {},
): string {
  const writer = new ByteWriter();
  const root = { name: 'root', num_children: Object.keys(columns).length };
  const file = new ParquetWriter({ writer, schema: [root, ...stored], statistics: false });
  void file.write({ columnData: Object.entries(columns).map(([name, data]) => ({ name, data })), rowGroupSize });
  file.schema = [root, ...shown];
  for (const chunk of file.row_groups.flatMap(({ columns: chunks }) => chunks)) {
    if (shown.length < stored.length) chunk.meta_data?.path_in_schema.pop();
  }
  void file.finish();
  const path = at('odd.parquet');
  writeFileSync(path, writer.getBytes());
  return path;
}

const required = { name: 'x', repetition_type: 'REQUIRED' } as const;

describe('older encodings', () => {
  const group = (name: string, num_children: number, more: Partial<SchemaElement> = {}): SchemaElement => ({
    name,
    num_children,
    repetition_type: 'REQUIRED',
    ...more,
  });
  const int = (name: string, repetition_type: SchemaElement['repetition_type'] = 'REQUIRED'): SchemaElement => ({
    name,
    type: 'INT32',
    ...(repetition_type && { repetition_type }),
  });
  const repeated = { repetition_type: 'REPEATED' } as const;
  const list = { converted_type: 'LIST' } as const;
  const listed = [group('x', 1), group('item', 1, repeated), int('a')];
  const items = { item: [1, 2] };

  it.each<[title: string, stored: SchemaElement[], shown: SchemaElement[], row: unknown, value: unknown]>([
    ['a field that is repeated', [group('x', 1, repeated), int('a')], [int('x', 'REPEATED')], items.item, [1, 2]],
    ['a field that is repeated, without values', [group('x', 1, repeated), int('a')], [int('x', 'REPEATED')], [], []],
    ['a list of two levels', listed, [group('x', 1, list), int('item', 'REPEATED')], items, [1, 2]],
    ['a list of two levels, without values', listed, [group('x', 1, list), int('item', 'REPEATED')], { item: [] }, []],
    ['a list', listed, [group('x', 1, list), group('item', 1, repeated), int('a')], items, [1, 2]],
    [
      'a list by its newer name alone',
      listed,
      [group('x', 1, { logical_type: { type: 'LIST' } }), group('item', 1, repeated), int('a')],
      items,
      [1, 2],
    ],
    [
      'a list whose repeated group is called `array`',
      [group('x', 1), group('array', 1, repeated), int('a')],
      [group('x', 1, list), group('array', 1, repeated), int('a')],
      { array: [1, 2] },
      [{ a: 1 }, { a: 2 }],
    ],
    [
      'a list whose repeated group is called after it',
      [group('x', 1), group('x_tuple', 1, repeated), int('a')],
      [group('x', 1, list), group('x_tuple', 1, repeated), int('a')],
      { x_tuple: [1, 2] },
      [{ a: 1 }, { a: 2 }],
    ],
    [
      'a map by its older name',
      [group('x', 1, { converted_type: 'MAP' }), group('key_value', 2, repeated), int('key'), int('value')],
      [group('x', 1, { converted_type: 'MAP_KEY_VALUE' }), group('key_value', 2, repeated), int('key'), int('value')],
      [[1, 2]],
      { 1: 2 },
    ],
  ])('%s', async (_title, stored, shown, row, value) => {
    expect(await readSubtask(parquetFile(fileOf(stored, { x: [row] }, { shown })))).toEqual([{ x: value }]);
  });

  it.each<[shown: SchemaElement, row: unknown, value: unknown]>([
    [{ ...required, type: 'BYTE_ARRAY', converted_type: 'DECIMAL', scale: 2, precision: 9 }, bytes(0xfb, 0x1e), -12.5],
    [{ ...required, type: 'INT32', logical_type: { type: 'DECIMAL', scale: 2, precision: 9 } }, 1250, 12.5],
    [{ ...required, type: 'INT32', logical_type: { type: 'DATE' } }, 1, new Date(86_400_000)],
    [{ ...required, type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } }, Buffer.from('{"a":1}'), { a: 1 }],
    [{ ...required, type: 'BYTE_ARRAY', converted_type: 'BSON' }, bytes(5, 0, 0, 0, 0), bytes(5, 0, 0, 0, 0)],
  ])('%j', async (shown, row, value) => {
    const { type } = shown;
    const path = fileOf([{ ...required, ...(type && { type }) }], { x: [row] }, { shown: [shown] });
    expect(await readSubtask(parquetFile(path))).toEqual([{ x: value }]);
  });
});

describe('an unknown form is refused by name', () => {
  it.each<[shown: SchemaElement, row: unknown, form: string]>([
    [{ ...required, type: 'INT32', converted_type: 'UTF8' }, 1, 'STRING as INT32'],
    [{ ...required, type: 'DOUBLE', logical_type: { type: 'UUID' } }, 1.5, 'UUID as DOUBLE'],
    [{ ...required, type: 'INT64', converted_type: 'TIME_MILLIS' }, 1n, 'TIME as INT64'],
    [
      { ...required, type: 'INT32', logical_type: { type: 'INTEGER', bitWidth: 64, isSigned: true } },
      1,
      'INTEGER as INT32',
    ],
    [
      { ...required, type: 'FIXED_LEN_BYTE_ARRAY', type_length: 3, converted_type: 'INTERVAL' },
      bytes(1, 2, 3),
      'INTERVAL as FIXED_LEN_BYTE_ARRAY of 3 bytes',
    ],
    [{ ...required, type: 'INT32', logical_type: { type: 'BSON' } }, 1, 'BSON as INT32'],
  ])('%j', async (shown, row, form) => {
    const { type, type_length } = shown;
    const stored = { ...required, ...(type && { type }), ...(type_length && { type_length }) };
    const path = fileOf([stored], { x: [row] }, { shown: [shown] });
    const message = `${path}: column "x" is ${form}, which cannot be read. Name the others in \`columns\``;
    expect(await failureOf(readSubtask(parquetFile(path)))).toMatchObject({ code: 'MALFORMED_INPUT', message });
  });

  it('VARIANT', async () => {
    const fields: SchemaElement[] = ['metadata', 'value'].map((name) => ({ ...required, name, type: 'BYTE_ARRAY' }));
    const shown: SchemaElement[] = [{ ...required, num_children: 2, logical_type: { type: 'VARIANT' } }, ...fields];
    const row = { metadata: bytes(1, 0, 0), value: bytes(0) };
    const path = fileOf([{ ...required, num_children: 2 }, ...fields], { x: [row] }, { shown });
    const message = `${path}: column "x" is VARIANT as a group, which cannot be read. Name the others in \`columns\``;
    expect(await failureOf(readSubtask(parquetFile(path)))).toMatchObject({ code: 'MALFORMED_INPUT', message });
  });

  it('keys that cannot be property names', async () => {
    const message = `${fixture('maps.parquet')}: the keys of column "days" are DATE as INT32, which cannot be property names. Set \`maps: 'entries'\``;
    expect(await failureOf(columnOf('maps.parquet', 'days'))).toMatchObject({ code: 'MALFORMED_INPUT', message });
  });
});
