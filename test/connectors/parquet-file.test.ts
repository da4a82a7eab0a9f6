import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetFile } from '../../src/connectors/parquet/parquet-file.ts';
import { contextOf, failureOf, readSubtask, readSubtasks, scratchDirectory } from './subtasks.ts';
import { tinyParquet } from './tiny-parquet.ts';

const flights = join(__dirname, '../../node_modules/vega-datasets/data/flights-3m.parquet');
const at = scratchDirectory();

function fileOf(content: Buffer | string, name = 'rows.parquet'): string {
  const path = at(name);
  writeFileSync(path, content);
  return path;
}

/** A group of rows numbered from `from`. */
const group = (from: number, count: number) => {
  const ids = Array.from({ length: count }, (_, index) => from + index);
  return { id: ids.map(BigInt), half: ids.map((id) => id / 2), name: ids.map((id) => `継${id}`) };
};
const rowsFrom = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: from + index,
    half: (from + index) / 2,
    name: `継${from + index}`,
  }));

describe('the subtasks together read each row once, in whole row groups', () => {
  const cases = [0, 1, 2, 5, 20].flatMap((groups) => [1, 2, 3, 8, 30].map((parallelism) => ({ groups, parallelism })));
  it.each(cases)('$groups groups, $parallelism subtasks', async ({ groups, parallelism }) => {
    const path = fileOf(tinyParquet(Array.from({ length: groups }, (_, index) => group(index * 7, 7))));
    const shares = await readSubtasks(parquetFile(path), parallelism, 3);
    expect(shares.flat()).toEqual(rowsFrom(0, groups * 7));
    expect(shares.every((share) => share.length % 7 === 0)).toBe(true);
    const counts = shares.map((share) => share.length / 7);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });
});

describe('flights-3m', () => {
  it('a subtask reads its share, and the same again', async () => {
    const source = parquetFile(flights, { columns: ['delay', 'origin'] });
    const place = { subtask: 10, parallelism: 11 };
    const share = await readSubtask(source, place, 10_000);
    expect(share).toHaveLength(272_730);
    const file = await asyncBufferFromFile(flights);
    const rows = { columns: ['delay', 'origin'], rowStart: 3_000_000 - 272_730, rowEnd: 3_000_000 };
    const expected = await parquetReadObjects({ file, compressors, ...rows });
    expect(share).toEqual(expected.map((row) => ({ ...row, delay: Number(row['delay']) })));
    expect(await readSubtask(source, { ...place, attempt: 1 }, 10_000)).toEqual(share);
  });

  it('its columns are numbers, strings and dates', async () => {
    const reader = await parquetFile(flights).open(contextOf());
    expect(await reader.read(1)).toEqual([
      { date: new Date('2001-01-01T00:01:00Z'), delay: 33, distance: 2176, origin: 'LAS', destination: 'PHL' },
    ]);
    expect(reader.read(2)).toHaveLength(2);
    await reader.close();
  });
});

describe('options', () => {
  it('reads the given columns, in that order', async () => {
    const path = fileOf(tinyParquet([group(0, 1)]));
    const [rows] = await readSubtasks(parquetFile(path, { columns: ['name', 'id'] }));
    expect(JSON.stringify(rows)).toBe('[{"name":"継0","id":0}]');
  });

  it('keeps 64-bit integers as bigint if requested', async () => {
    const path = fileOf(tinyParquet([{ id: [2n ** 60n, -1n] }]));
    expect(await readSubtasks(parquetFile(path, { int64: 'bigint' }))).toEqual([[{ id: 2n ** 60n }, { id: -1n }]]);
  });

  it('yields the result of `parse` for a row', async () => {
    const path = fileOf(tinyParquet([group(0, 2)]));
    expect(await readSubtasks(parquetFile(path, { parse: (row) => row['name'] }))).toEqual([['継0', '継1']]);
  });

  it.each<[title: string, options: object, message: string]>([
    ['no columns', { columns: [] }, 'columns: expected at least one name, or no `columns`, got []'],
    ['int64 of another kind', { int64: 'text' }, 'int64: expected "number" or "bigint" or "string", got "text"'],
  ])('%s is refused', (_title, options, message) => {
    expect(() => parquetFile('x', options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
  });

  it('a column that the file lacks is refused', async () => {
    const path = fileOf(tinyParquet([group(0, 1)]));
    const failure = await failureOf(readSubtasks(parquetFile(path, { columns: ['id', 'nmae'] })));
    expect(failure).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `columns: expected columns of ${path}, which are id, half, name, got "nmae"`,
    });
  });
});

describe('broken files', () => {
  const whole = tinyParquet([group(0, 3), group(3, 3)]);
  /** The page header of the second group has another page type. */
  const broken = Buffer.from(whole);
  broken[whole.indexOf(Buffer.from(new BigInt64Array([3n, 4n]).buffer)) - 16] = 0x08;

  it.each<[title: string, content: Buffer | string, problem: string | RegExp]>([
    ['an empty file', '', 'not a Parquet file: it is empty'],
    ['another kind of file', 'a,b\n1,2\n'.repeat(10), 'not a Parquet file: parquet file invalid (footer != PAR1)'],
    ['a file that is cut off', whole.subarray(0, -20), 'not a Parquet file: parquet file invalid (footer != PAR1)'],
    ['a broken page', broken, 'row group 2 of 2, column "id": parquet unsupported page type: undefined'],
    [
      'fewer values than rows',
      tinyParquet([{ id: [1n, 2n], half: [1] }]),
      'row group 1 of 1, column "half": expected 2 values, got 1',
    ],
  ])('%s', async (_title, content, problem) => {
    const path = fileOf(content);
    const failure = await failureOf(readSubtasks(parquetFile(path)));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
    const message = failure.message.slice(`${path}: `.length);
    if (typeof problem === 'string') expect(message).toBe(problem);
    else expect(message).toMatch(problem);
  });

  it('a row that `parse` refuses is named', async () => {
    const path = fileOf(whole);
    const parse = (row: Readonly<Record<string, unknown>>) => {
      if (row['id'] === 4) throw new TypeError('four is not allowed');
      return row;
    };
    const failure = await failureOf(readSubtasks(parquetFile(path, { parse })));
    expect(failure).toMatchObject({ row: 5, message: `${path}, row 5: four is not allowed` });
  });

  it('a missing file causes no restart', async () => {
    const path = at('missing.parquet');
    const failure = await failureOf(readSubtasks(parquetFile(path)));
    expect(failure).toMatchObject({
      code: 'FILE_ACCESS',
      recovery: 'never',
      message: `${path}: cannot read: no such file or directory (ENOENT)`,
    });
  });
});

it('without its packages it tells how to install them', async () => {
  const path = fileOf(tinyParquet([group(0, 1)]));
  await jest.isolateModulesAsync(async () => {
    jest.doMock('hyparquet', () => {
      throw new Error("Cannot find package 'hyparquet'");
    });
    const { parquetFile: fresh } = await import('../../src/connectors/parquet/parquet-file.ts');
    const failure = await failureOf(readSubtasks(fresh(path)));
    expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never' });
    expect(failure.message).toBe(
      "parquetFile needs two more packages: npm install hyparquet hyparquet-compressors (Cannot find package 'hyparquet')",
    );
  });
  jest.dontMock('hyparquet');
});

it('closing settles a pending read', async () => {
  const reader = await parquetFile(flights).open(contextOf());
  const batch = reader.read(10);
  await reader.close();
  expect(await batch).toBeNull();
});
