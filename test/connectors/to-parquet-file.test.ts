import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parquetMetadata } from 'hyparquet';
import { parquetFile, type ParquetFileOptions } from '../../src/connectors/parquet/parquet-file.ts';
import { partPath } from '../../src/connectors/outputs/part-path.ts';
import { toParquetFile, type ToParquetFileOptions } from '../../src/connectors/parquet/to-parquet-file.ts';
import type { ValueOptions } from '../../src/connectors/value-options.ts';
import { fixedDelay, fromArray, Job } from '../../src/index.ts';
import { draws } from '../support/draws.ts';
import { contextOf, failureOf, readSubtask, readSubtasks, scratchDirectory, writeSubtask } from './subtasks.ts';

type Row = Readonly<Record<string, unknown>>;

const at = scratchDirectory();
let directories = 0;
const freshPath = () => at(`${directories++}/deep/out.parquet`);
const filesBeside = (path: string) => readdirSync(dirname(path)).toSorted();
const footerOf = (path: string) => parquetMetadata(new Uint8Array(readFileSync(path)));

async function writtenAndRead(
  rows: readonly Row[],
  options: ToParquetFileOptions<Row> = {},
  reading: ValueOptions = { int64: 'bigint' },
): Promise<Row[]> {
  const path = freshPath();
  await writeSubtask(toParquetFile<Row>(path, options), rows);
  return readSubtask(parquetFile<Row>(path, reading));
}

describe('written values are read back unchanged', () => {
  it('each kind of value, and a column without values', async () => {
    const row = {
      number: -0.5,
      bigint: 2n ** 62n,
      string: '\ufeff継\0',
      boolean: true,
      date: new Date(-1),
      bytes: Uint8Array.of(0xff, 0),
      object: { a: [1, null, { b: 'x' }], ['c.d']: 'e' },
      array: ['x', []],
      nothing: null,
    };
    const nulls = Object.fromEntries(Object.keys(row).map((name) => [name, null]));
    expect(await writtenAndRead([row, nulls, row])).toEqual([row, nulls, row]);
  });

  it.each(['snappy', 'gzip', 'none'] as const)('compressed by %s', async (compression) => {
    const rows = Array.from({ length: 100 }, (_, index) => ({ a: 'x'.repeat(index) }));
    expect(await writtenAndRead(rows, { compression })).toEqual(rows);
  });

  it('values of given types', async () => {
    const columns = {
      i: 'int32',
      l: 'int64',
      f: 'double',
      day: 'date',
      id: 'uuid',
      price: { decimal: [6, 2] },
      wide: { decimal: [38, 4] },
      any: 'json',
    } as const;
    const id = '12345678-9abc-def0-1234-56789abcdef0';
    const row = {
      i: -5,
      l: 7,
      f: 2,
      day: new Date('1969-12-31'),
      id,
      price: 12.3,
      wide: '-12345678901234567890.5',
      any: 'x',
      more: 1,
    };
    expect(await writtenAndRead([row, {}], { columns }, { decimals: 'string' })).toEqual([
      { i: -5, l: 7, f: 2, day: row.day, id, price: '12.30', wide: '-12345678901234567890.5000', any: 'x' },
      { i: null, l: null, f: null, day: null, id: null, price: null, wide: null, any: null },
    ]);
  });

  it('a column that occurs first in a later row, null before', async () => {
    expect(await writtenAndRead([{ a: 1 }, { b: 'x' }])).toEqual([
      { a: 1, b: null },
      { a: null, b: 'x' },
    ]);
  });

  it('JSON has its newer and its older annotation', async () => {
    const path = freshPath();
    await writeSubtask(toParquetFile<Row>(path), [{ a: [1] }]);
    expect(footerOf(path).schema[1]).toMatchObject({ converted_type: 'JSON', logical_type: { type: 'JSON' } });
  });

  it('no rows, with and without columns', async () => {
    expect(await writtenAndRead([], { columns: { a: 'string' } })).toEqual([]);
    expect(await writtenAndRead([])).toEqual([]);
  });

  it('-0 beside 0, however often, also in JSON; integers beyond 2^53 in JSON', async () => {
    const rows = Array.from({ length: 200 }, (_, index) => ({
      a: index % 2 === 0 ? 0 : -0,
      b: { zeros: [0, -0], wide: 2 ** 60 },
    }));
    expect(await writtenAndRead(rows, {}, {})).toEqual(rows);
    const columns = { a: 'double' } as const;
    expect(await writtenAndRead([{ a: -0 }, { a: -0 }, { a: 0 }], { columns })).toEqual([
      { a: -0 },
      { a: -0 },
      { a: 0 },
    ]);
  });

  it('columns with any name', async () => {
    const row = Object.fromEntries(
      ['__proto__', 'constructor', 'toString', '', 'a.b'].map((name, index) => [name, index]),
    );
    const [read, empty] = await writtenAndRead([row, {}]);
    expect(Object.entries(read as Row)).toEqual(Object.entries(row));
    expect(Object.values(empty as Row)).toEqual([null, null, null, null, null]);
  });

  const json = fc.jsonValue({ maxDepth: 3 }).filter(hasOrdinaryNumbers);
  const column: fc.Arbitrary<fc.Arbitrary<unknown>> = fc.oneof(
    fc.constant(fc.double()),
    fc.constant(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    fc.constant(fc.string({ unit: 'binary' })),
    fc.constant(fc.boolean()),
    fc.constant(fc.date({ noInvalidDate: true })),
    fc.constant(fc.uint8Array()),
    fc.constant(fc.oneof(fc.array(json), fc.dictionary(fc.string(), json, { noNullPrototype: true }))),
  );
  const table = fc
    .dictionary(fc.string(), column, { minKeys: 1, maxKeys: 5, noNullPrototype: true })
    .chain((columns) => {
      const cells = Object.entries(columns).map(([name, values]) =>
        fc.option(values).map((value) => [name, value] as const),
      );
      const row = fc.tuple(...cells).map((entries) => Object.fromEntries<unknown>(entries));
      return fc.tuple(fc.array(row, { maxLength: 40 }), fc.integer({ min: 1, max: 50 }));
    });

  it('any table, in row groups of any size', async () => {
    await fc.assert(
      fc.asyncProperty(table, async ([rows, rowGroupSize]) => {
        fc.pre(!changesItsMind(rows, rowGroupSize));
        expect(await writtenAndRead(rows, { rowGroupSize })).toEqual(rows);
      }),
      { numRuns: draws(20, 60) },
    );
  });

  /** With `int64: 'bigint'` the integers beyond 2^53 are read as bigints, in JSON as well. */
  function hasOrdinaryNumbers(value: unknown): boolean {
    if (typeof value === 'number') return Number.isSafeInteger(value) || !Number.isInteger(value);
    return typeof value !== 'object' || value === null || Object.values(value).every(hasOrdinaryNumbers);
  }

  /** Whether a column has its first value after the first row group. */
  function changesItsMind(rows: readonly Row[], rowGroupSize: number): boolean {
    return Object.keys(rows[0] ?? {}).some((name) => {
      const first = rows.findIndex((row) => Object.getOwnPropertyDescriptor(row, name)?.value !== null);
      return first >= rowGroupSize;
    });
  }
});

describe('row groups', () => {
  const groupsOf = (path: string) => footerOf(path).row_groups.map(({ num_rows }) => Number(num_rows));
  const rows = Array.from({ length: 10 }, (_, id) => ({ id }));

  it('are written as soon as they are full', async () => {
    const path = freshPath();
    const writer = await toParquetFile(path, { rowGroupSize: 4 }).open(contextOf());
    for (const row of rows) await writer.write([row]);
    await writer.commit();
    expect(groupsOf(path)).toEqual([4, 4, 2]);
    expect(await readSubtask(parquetFile(path))).toEqual(rows);
  });

  it('one call may fill several', async () => {
    const path = freshPath();
    await writeSubtask(toParquetFile(path, { rowGroupSize: 3 }), rows);
    expect(groupsOf(path)).toEqual([3, 3, 3, 1]);
  });

  it('end early if their rows are large', async () => {
    const path = freshPath();
    const large = Array.from({ length: 5 }, () => ({ text: 'x'.repeat(12 << 20) }));
    await writeSubtask(toParquetFile(path), large);
    expect(groupsOf(path)).toEqual([3, 2]);
  });
});

describe('a value that its column cannot hold is an error with row and column', () => {
  it.each<[title: string, rows: unknown[], options: ToParquetFileOptions<Row>, problem: string]>([
    [
      'another type than before',
      [{ a: 1 }, { a: 'x' }],
      {},
      'row 2: column "a": expected a number, got "x". Set `columns`, or convert it before the sink',
    ],
    [
      'another type after a row group',
      [{ a: 1 }, { a: 'x' }],
      { rowGroupSize: 1 },
      'row 2: column "a": expected a number, got "x". Set `columns`, or convert it before the sink',
    ],
    [
      'a new column after a row group',
      [{ a: 1 }, { b: 1 }],
      { rowGroupSize: 1 },
      'row 2: column "b" did not occur in the first row group. Set `columns`',
    ],
    [
      'a first value after a row group',
      [{ a: null }, { a: 1 }],
      { rowGroupSize: 1 },
      'row 2: column "a": expected no value, as in the rows before, got 1. Set `columns`, or convert it before the sink',
    ],
    [
      'a function',
      [{ a: Math.max }],
      {},
      'row 1: column "a": expected data, got function max. Set `columns`, or convert it before the sink',
    ],
    [
      'an integer of more than 64 bits',
      [{ a: 2n ** 63n }],
      {},
      'row 1: column "a": expected a 64-bit bigint, or an integer that a number holds exactly, got 9223372036854775808n. Set `columns`, or convert it before the sink',
    ],
    [
      'a string that UTF-8 cannot encode',
      [{ a: '\ud800' }],
      {},
      'row 1: column "a": expected a string without lone surrogates, got "\\ud800". Set `columns`, or convert it before the sink',
    ],
    [
      'an invalid Date',
      [{ a: new Date(NaN) }],
      {},
      'row 1: column "a": expected a valid Date, got null (it is a Date). Set `columns`, or convert it before the sink',
    ],
    [
      'a Date in JSON',
      [{ a: { at: [new Date(0)] } }],
      {},
      'row 1: column "a": expected what JSON can hold, got {"at":["1970-01-01T00:00:00.000Z"]} (.at[0] is a Date). Set `columns`, or convert it before the sink',
    ],
    [
      'NaN in JSON',
      [{ a: [NaN] }],
      {},
      'row 1: column "a": expected what JSON can hold, got [null] ([0] is NaN). Set `columns`, or convert it before the sink',
    ],
    [
      'a fraction',
      [{ a: 1.5 }],
      { columns: { a: 'int32' } },
      'row 1: column "a": expected a 32-bit integer, got 1.5. Convert it before the sink',
    ],
    [
      'a number beyond 2^53',
      [{ a: 2 ** 53 }],
      { columns: { a: 'int64' } },
      'row 1: column "a": expected a 64-bit bigint, or an integer that a number holds exactly, got 9007199254740992. Convert it before the sink',
    ],
    [
      'an hour',
      [{ a: new Date(1) }],
      { columns: { a: 'date' } },
      'row 1: column "a": expected a Date at midnight UTC, got "1970-01-01T00:00:00.001Z" (it is a Date). Convert it before the sink',
    ],
    [
      'too many digits',
      [{ a: '1.234' }],
      { columns: { a: { decimal: [6, 2] } } },
      'row 1: column "a": expected a number or its digits as a string, 6 at most, 2 of them after the point, got "1.234". Convert it before the sink',
    ],
    ['no object', ['x'], {}, 'row 1: expected an object, got "x"'],
    [
      'rows without any property',
      [{}, new Map([['a', 1]])],
      {},
      'row 1: expected at least one property: 2 rows without properties would be lost. Set `columns`, or map to plain objects before the sink',
    ],
  ])('%s', async (_title, rows, options, problem) => {
    const path = freshPath();
    const failure = await failureOf(writeSubtask(toParquetFile<Row>(path, options), rows as Row[]));
    expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never', message: `${path}, ${problem}` });
    expect(filesBeside(path)).toEqual([]);
  });
});

describe('exactly once', () => {
  it('several subtasks write a file each', async () => {
    const path = freshPath();
    for (let subtask = 0; subtask < 3; subtask++) {
      await writeSubtask(toParquetFile(path), [{ subtask }], { subtask, parallelism: 3 });
    }
    expect(filesBeside(path)).toEqual([0, 1, 2].map((subtask) => `out-0000${subtask}-of-00003.parquet`));
    expect(await readSubtask(parquetFile(partPath(path, 1, 3)))).toEqual([{ subtask: 1 }]);
  });

  it.each<[title: string, subtasks: number[], options: ParquetFileOptions<Row>, read: Row[]]>([
    ['the last', [1, 1, 0], {}, [{ a: 0 }, { a: 1 }]],
    ['the first, with some of the columns requested', [0, 1, 1], { columns: ['a'] }, [{ a: 1 }, { a: 2 }]],
    ['all', [0, 0, 0], { columns: ['a'] }, []],
  ])(
    'parts of subtasks without rows have no columns, and are read beside the others: %s',
    async (_t, counts, options, read) => {
      const path = freshPath();
      for (const [subtask, count] of counts.entries()) {
        const rows = Array.from({ length: count }, () => ({ a: subtask }));
        await writeSubtask(toParquetFile(path), rows, { subtask, parallelism: 3 });
      }
      for (const input of [path, `${dirname(path)}/*.parquet`, dirname(path)]) {
        expect((await readSubtasks(parquetFile<Row>(input, options), 2)).flat()).toEqual(read);
      }
    },
  );

  it('a requested column that no file has is named, beside parts without columns', async () => {
    const path = freshPath();
    await writeSubtask(toParquetFile(path), [], { parallelism: 2 });
    await writeSubtask(toParquetFile(path), [{ a: 1 }], { subtask: 1, parallelism: 2 });
    const failure = await failureOf(readSubtasks(parquetFile(path, { columns: ['b'] })));
    expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT', given: 'b' });
  });

  it('a task that is killed after some row groups writes one complete file in its next attempt, and leaves nothing else', async () => {
    const path = freshPath();
    const rows = Array.from({ length: 100 }, (_, id) => ({ id }));
    const job = Job.create('killed');
    let failures = 0;
    job
      .source('rows', fromArray(rows))
      .map((row) => {
        if (row.id === 75 && failures++ === 0) throw new Error('once');
        return row;
      })
      .sink('out', toParquetFile(path, { rowGroupSize: 10 }));
    const run = job.run({ batchSize: 5, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }) });
    await run.result;
    expect(run.failures).toHaveLength(1);
    expect(filesBeside(path)).toEqual(['out.parquet']);
    expect(footerOf(path).row_groups).toHaveLength(10);
    expect(await readSubtask(parquetFile(path))).toEqual(rows);
  });

  it('an aborted attempt leaves earlier commits alone', async () => {
    const path = freshPath();
    await writeSubtask(toParquetFile(path), [{ a: 'kept' }]);
    const writer = await toParquetFile(path, { rowGroupSize: 1 }).open(contextOf({ attempt: 1 }));
    await writer.write([{ a: 'lost' }, { a: 'lost' }]);
    await writer.abort();
    expect(await readSubtask(parquetFile(path))).toEqual([{ a: 'kept' }]);
    expect(filesBeside(path)).toContain('out.parquet');
  });
});

describe('options', () => {
  it.each<[options: object, message: string]>([
    [{ columns: {} }, 'columns: expected at least one, or no `columns`, got {}'],
    [
      { columns: { a: 'text' } },
      'columns: "a": expected boolean, int32, int64, double, string, binary, timestamp, date, uuid, json or { decimal: [precision, scale] }, got "text"',
    ],
    [
      { columns: { a: { decimal: [39, 2] } } },
      'columns: "a": expected boolean, int32, int64, double, string, binary, timestamp, date, uuid, json or { decimal: [precision, scale] }, got {"decimal":[39,2]}',
    ],
    [{ rowGroupSize: 0 }, 'rowGroupSize: expected an integer from 1 to 9007199254740991, got 0'],
    [{ compression: 'zstd' }, 'compression: expected "snappy" or "gzip" or "none", got "zstd"'],
    [
      { rowGroupsize: 1 },
      'rowGroupsize of toParquetFile: expected an option that exists (did you mean `rowGroupSize`?), got 1',
    ],
  ])('%j is refused', (options, message) => {
    expect(() => toParquetFile('x', options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
  });
});

it('without its package it tells how to install it', async () => {
  await jest.isolateModulesAsync(async () => {
    jest.doMock('hyparquet-writer', () => {
      throw new Error("Cannot find package 'hyparquet-writer'");
    });
    const { toParquetFile: fresh } = await import('../../src/connectors/parquet/to-parquet-file.ts');
    const failure = await failureOf(writeSubtask(fresh(freshPath()), []));
    expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never' });
    expect(failure.message).toBe(
      "toParquetFile needs one more package: npm install hyparquet-writer (Cannot find package 'hyparquet-writer')",
    );
  });
  jest.dontMock('hyparquet-writer');
});
