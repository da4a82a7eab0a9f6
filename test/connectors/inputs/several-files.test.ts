import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { parquetFile } from '../../../src/connectors/parquet/parquet-file.ts';
import { failureOf, planSource, readSubtasks, scratchDirectory } from '../subtasks.ts';
import { tinyParquet } from '../tiny-parquet.ts';

const at = scratchDirectory();

function files(named: Readonly<Record<string, string | Buffer>>): string[] {
  return Object.entries(named).map(([name, content]) => {
    writeFileSync(at(name), content);
    return at(name);
  });
}

describe.each([
  ['with newlines in values', true],
  ['in parts', false],
])('CSV files %s', (_title, newlinesInValues) => {
  const options = { newlinesInValues };

  it.each([1, 2, 5])('each has its header, which is not a row: %i subtasks', async (parallelism) => {
    const paths = files({ a: 'id,n\n1,x\n2,y\n', b: 'id,n\r\n3,z\r\n', c: gzipSync('id,n\n4,w\n') });
    const shares = await readSubtasks(csvFile(paths, options), parallelism);
    expect(shares.flat().toSorted((one, other) => Number(one['id']) - Number(other['id']))).toEqual([
      { id: '1', n: 'x' },
      { id: '2', n: 'y' },
      { id: '3', n: 'z' },
      { id: '4', n: 'w' },
    ]);
  });

  it('columns may be in another order, and files may be empty', async () => {
    const paths = files({ a: '', b: '\uFEFF', c: 'id,n\n1,x\n', d: 'n,id\ny,2\n' });
    expect(await readSubtasks(csvFile(paths, options))).toEqual([
      [
        { id: '1', n: 'x' },
        { id: '2', n: 'y' },
      ],
    ]);
  });

  it.each<[title: string, second: string, problem: string]>([
    ['a further column', 'id,n,m\n', 'has a column "m", which FIRST does not have'],
    ['a missing column', 'id\n', 'has no column "n", which FIRST has'],
    ['another column', 'id,N\n', 'has no column "n", which FIRST has'],
  ])('%s is an error that names both files', async (_case, second, problem) => {
    const [first, path] = files({ a: 'id,n\n1,x\n', b: second });
    const failure = await failureOf(readSubtasks(csvFile([first as string, path as string], options)));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
    expect(failure.message).toContain(`${path}: ${problem.replace('FIRST', first as string)}. `);
  });

  it('given columns apply to all files', async () => {
    const paths = files({ a: 'id,n\n1,x\n', b: 'key,name\n2,y\n' });
    const named = csvFile(paths, { ...options, columns: ['k', 'v'], header: true });
    expect((await readSubtasks(named)).flat()).toEqual([
      { k: '1', v: 'x' },
      { k: '2', v: 'y' },
    ]);
  });
});

describe('Parquet files', () => {
  const group = (from: number, count: number) => ({
    id: Array.from({ length: count }, (_, index) => BigInt(from + index)),
  });

  it.each([1, 2, 3, 7])('subtasks share their row groups: %i subtasks', async (parallelism) => {
    const paths = files({
      a: tinyParquet([group(0, 5), group(5, 5), group(10, 5)]),
      b: tinyParquet([group(15, 5)]),
      c: tinyParquet([group(20, 5), group(25, 5)]),
    });
    const shares = await readSubtasks(parquetFile<{ id: number }>(paths), parallelism, 2);
    expect(shares.flat().map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, id) => id));
    const counts = shares.map(({ length }) => length / 5);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  it('with other columns are an error that names both files', async () => {
    const [first, path] = files({ a: tinyParquet([{ id: [1n] }]), b: tinyParquet([{ id: [2n], half: [1] }]) });
    const source = parquetFile([first as string, path as string]);
    const failure = await failureOf(readSubtasks(source));
    expect(failure.message).toContain(`${path}: has a column "half", which ${first} does not have. `);
    const chosen = parquetFile([first as string, path as string], { columns: ['id'] });
    expect((await readSubtasks(chosen)).flat()).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it.each<[title: string, content: Buffer | string, problem: string]>([
    ['gzip', gzipSync(tinyParquet([group(0, 1)])), 'it is gzip data. Unpack it first'],
    ['UTF-16', Buffer.from('\uFEFFa,b\n', 'utf16le'), 'it is UTF-16 text. Convert it to UTF-8'],
  ])('%s is named', async (_title, content, problem) => {
    const [path] = files({ a: content });
    const failure = await failureOf(readSubtasks(parquetFile(path as string)));
    expect(failure).toMatchObject({ code: 'MALFORMED_INPUT', recovery: 'never', file: path });
    expect(failure.message).toContain(`${path}: not a Parquet file: ${problem}`);
  });

  it('the footer is in the plan, so no subtask reads it again', async () => {
    const [path] = files({ a: tinyParquet([group(0, 5), group(5, 5)]) });
    const plan = await planSource(parquetFile(path as string), { parallelism: 2 });
    expect(plan).toMatchObject({
      files: [{ path, metadata: { num_rows: 10n } }],
      splits: [[{ file: 0, start: 0, end: 1 }], [{ file: 0, start: 1, end: 2 }]],
    });
  });
});
