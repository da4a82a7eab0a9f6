import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { jsonLinesFile } from '../../../src/connectors/json/json-lines-file.ts';
import { parquetFile } from '../../../src/connectors/parquet/parquet-file.ts';
import { Job, noRestart, toJsonLinesFile } from '../../../src/index.ts';
import type { Source } from '../../../src/operators/source.ts';
import { virtualEnvironment } from '../../../src/testing/index.ts';
import { contextOf, failureOf, planSource, scratchDirectory } from '../subtasks.ts';
import { tinyParquet } from '../tiny-parquet.ts';

const at = scratchDirectory();
const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

function fileOf(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** Every record with its reported origin. */
async function placesOf(source: Source<{ readonly id: unknown }>, parallelism: number): Promise<[number, string][]> {
  const plan = await planSource(source, { parallelism });
  const places: [number, string][] = [];
  for (let subtask = 0; subtask < parallelism; subtask++) {
    const reader = await source.open(contextOf({ subtask, parallelism }), plan);
    const records: { readonly id: unknown }[] = [];
    for (let batch = await reader.read(3); batch !== null; batch = await reader.read(3)) records.push(...batch);
    for (const [number, { id }] of records.entries()) {
      places.push([Number(id), String(await reader.locate?.(number)).slice(at('').length + 1)]);
    }
    await reader.close();
  }
  return places.toSorted(([a], [b]) => a - b);
}

it.each([1, 2, 5])('lines of NDJSON, over files: %i subtasks', async (parallelism) => {
  const paths = [
    fileOf('a.jsonl', '{"id":0}\n\n{"id":1}\r\n  \n{"id":2}'),
    fileOf('b.jsonl', '\uFEFF{"id":3}\n{"id":4}\n'),
    fileOf('c.jsonl', gzipSync('\n{"id":5}\n{"id":6}\n')),
  ];
  expect(await placesOf(jsonLinesFile<{ id: number }>(paths), parallelism)).toEqual([
    [0, 'a.jsonl:1'],
    [1, 'a.jsonl:3'],
    [2, 'a.jsonl:5'],
    [3, 'b.jsonl:1'],
    [4, 'b.jsonl:2'],
    [5, 'c.jsonl:2'],
    [6, 'c.jsonl:3'],
  ]);
});

it.each([
  [true, 1],
  [true, 2],
  [false, 1],
  [false, 4],
])('lines of CSV, over files: newlinesInValues %p, %i subtasks', async (newlinesInValues, parallelism) => {
  const paths = [fileOf('a.csv', 'id,n\n0,x\n\n1,y\n2,"z"\n'), fileOf('b.csv', 'n,id\n"q",3\n')];
  expect(await placesOf(csvFile<{ id: string }>(paths, { newlinesInValues }), parallelism)).toEqual([
    [0, 'a.csv:2'],
    [1, 'a.csv:4'],
    [2, 'a.csv:5'],
    [3, 'b.csv:2'],
  ]);
});

it.each([1, 3])('rows of Parquet, over files: %i subtasks', async (parallelism) => {
  const group = (from: number, to: number) => ({ id: ids(from, to).map(BigInt) });
  const paths = [
    fileOf('a.parquet', tinyParquet([group(0, 2), group(2, 4)])),
    fileOf('b.parquet', tinyParquet([group(4, 6)])),
  ];
  expect(await placesOf(parquetFile<{ id: number }>(paths), parallelism)).toEqual([
    ...ids(0, 4).map((id) => [id, `a.parquet: row ${id + 1}`]),
    ...ids(4, 6).map((id) => [id, `b.parquet: row ${id - 3}`]),
  ]);
});

it('the failure of a job names the line of the record', async () => {
  const job = Job.create('located', { parallelism: 2 });
  job
    .source(
      'rows',
      jsonLinesFile<{ id: number }>(
        fileOf(
          'job.jsonl',
          ids(0, 900)
            .map((id) => `{"id":${id}}\n`)
            .join(''),
        ),
      ),
    )
    .map(
      ({ id }) => {
        if (id === 777) throw new Error('not this one');
        return id;
      },
      { uid: 'picky' },
    )
    .sink('out', toJsonLinesFile(at('out/job.jsonl')));
  const environment = virtualEnvironment();
  const run = job.run({ environment, restartBackoff: noRestart() });
  expect((await failureOf(environment.drive(run.result))).message).toContain(`${at('job.jsonl')}:778`);
});

describe('in files of many blocks', () => {
  const rows = 20_000;
  const text = (index: number): string => `${'some text '.repeat(index % 12)}${index % 7 === 0 ? 'ü' : ''}`;
  const lines = ids(0, rows).map((id) => JSON.stringify({ id, text: text(id) }));
  const quoted = ids(0, rows).map((id) => `${id},"${text(id)}${id % 3 === 0 ? '\n' : ''}"`);
  const csvLine = (record: number): number => 2 + record + Math.ceil(record / 3);

  async function told(source: Source<{ readonly id: unknown }>, parallelism: number): Promise<Set<string>> {
    const plan = await planSource(source, { parallelism });
    const wrong = new Set<string>();
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const reader = await source.open(contextOf({ subtask, parallelism }), plan);
      const records: { readonly id: unknown }[] = [];
      for (let batch = await reader.read(64); batch !== null; batch = await reader.read(64)) records.push(...batch);
      for (let number = 0; number < records.length; number += 997) {
        wrong.add(`${String(records[number]?.id)} ${String(await reader.locate?.(number)).replace(/.*:/, '')}`);
      }
      await reader.close();
    }
    return wrong;
  }

  it.each([1, 3])('NDJSON, %i subtasks', async (parallelism) => {
    const path = fileOf('many.jsonl', `${lines.join('\n')}\n`);
    const places = await told(jsonLinesFile<{ id: number }>(path), parallelism);
    expect(places.size).toBeGreaterThan(20);
    for (const place of places) expect(place).toBe(`${Number.parseInt(place)} ${Number.parseInt(place) + 1}`);
  });

  it.each([
    [true, 1],
    [false, 1],
    [false, 3],
  ])('CSV, newlinesInValues %p, %i subtasks', async (newlinesInValues, parallelism) => {
    const path = newlinesInValues
      ? fileOf('quoted.csv', `id,text\n${quoted.join('\n')}\n`)
      : fileOf('many.csv', `id,text\n${lines.map((_, id) => `${id},${text(id)}`).join('\n')}\n`);
    const places = await told(csvFile<{ id: string }>(path, { newlinesInValues }), parallelism);
    expect(places.size).toBeGreaterThan(20);
    for (const place of places) {
      const record = Number.parseInt(place);
      expect(place).toBe(`${record} ${newlinesInValues ? csvLine(record) : record + 2}`);
    }
  });
});
