import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { planJob } from '../../src/api/job-planner.ts';
import {
  csvFile,
  type DataStream,
  fromArray,
  Job,
  jsonLinesFile,
  keptResult,
  parquetFile,
  reliable,
  type Source,
  toCsvFile,
  toJsonLinesFile,
  toParquetFile,
} from '../../src/index.ts';

interface Row {
  readonly n: number;
}

let scratch: string;
const at = (path: string): string => join(scratch, path);

beforeAll(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'places-')));
  mkdirSync(at('dir/deep'), { recursive: true });
  symlinkSync(at('dir'), at('link'));
  writeFileSync(at('dir/in.jsonl'), '');
  symlinkSync(at('dir/in.jsonl'), at('in-link.jsonl'));
  symlinkSync(at('circle'), at('circle'));
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const jsonLines = (path: string) => toJsonLinesFile<Row>(path);
const parquet = (path: string) => toParquetFile<Row>(path);
const csv = (path: string) => toCsvFile<Row>(path, { columns: ['n'] });

/** A job that writes two files, only planned. */
function writing(one: string, other: string, { sink = csv, parallelism = 1 } = {}): () => unknown {
  const job = Job.create('writing', { parallelism });
  const rows = job.source('rows', fromArray<Row>([{ n: 1 }]));
  rows.rebalance().sink('one', jsonLines(at(one)));
  rows.rebalance().sink('other', sink(other));
  return () => planJob(job);
}

function reading(source: Source<unknown>, path: string, parallelism = 1): () => unknown {
  const job = Job.create('reading', { parallelism });
  (job.source('rows', source) as DataStream<Row>).sink('out', jsonLines(path));
  return () => planJob(job);
}

function keeping(directory: string, path: string, second = 'elsewhere'): () => unknown {
  const job = Job.create('keeping');
  job
    .source('rows', fromArray<Row>([{ n: 1 }]))
    .rebalance({ exchange: reliable({ keepResults: { directory } }) })
    .map((row) => row, { uid: 'step' })
    .rebalance({ exchange: reliable({ keepResults: { directory: at(second) } }) })
    .sink('out', jsonLines(path));
  return () => planJob(job);
}

describe('two sinks of a job', () => {
  it.each<[how: string, plan: () => () => unknown, file: string]>([
    ['the same path', () => writing('o', at('o')), 'o'],
    ['the same path, in one format', () => writing('o', at('o'), { sink: jsonLines }), 'o'],
    ['the same path, one of them Parquet', () => writing('o', at('o'), { sink: parquet }), 'o'],
    ['another spelling', () => writing('o', `${scratch}/dir/../o`), 'o'],
    ['a relative one', () => writing('o', relative('.', at('o'))), 'o'],
    ['a directory by a link', () => writing('dir/o', at('link/o')), 'dir/o'],
    [
      'a directory through a link, and a missing path below it',
      () => writing('dir/new/o', at('link/new/o')),
      'dir/new/o',
    ],
    ['a later part of the other', () => writing('o.x', at('o_part-00001.x')), 'o_part-00001.x'],
    ['a part of the other', () => writing('o.x', at('o-00001-of-00003.x'), { parallelism: 3 }), 'o-00001-of-00003.x'],
  ])('are refused by name: %s', (_, plan, file) => {
    expect(plan()).toThrow(
      `The sinks "one" and "other" both write ${at(file)}. Use two files, or merge the streams with union()`,
    );
  });

  it.each<[how: string, plan: () => () => unknown]>([
    ['other files', () => writing('o', at('p'))],
    [
      'one that is named like a part of another number',
      () => writing('o.x', at('o-00001-of-00004.x'), { parallelism: 3 }),
    ],
    ['a link that one of them replaces, and its target', () => writing('dir/in.jsonl', at('in-link.jsonl'))],
  ])('are planned: %s', (_, plan) => {
    expect(plan()).not.toThrow();
  });
});

describe.each<[format: string, sinkOf: (path: string) => unknown]>([
  ['JSON lines', jsonLines],
  ['CSV', csv],
  ['Parquet', parquet],
])('a file of %s', (_, sinkOf) => {
  it.each(['out/', 'out//', 'out/.', 'out/..', '.', '..', '/'])('must not have the name of a directory: %s', (path) => {
    expect(() => sinkOf(path)).toThrow('expected the path of a file, not of a directory: name a file in it, got');
  });
});

it('a directory with kept results may exist under its name', () => {
  expect(() => keptResult(at('dir/'))).not.toThrow();
  expect(keeping(`${at('kept')}/`, at('o'))).not.toThrow();
});

describe('a sink that writes the input of a source', () => {
  it.each<[how: string, plan: () => () => unknown, file: string]>([
    ['JSON lines', () => reading(jsonLinesFile(at('x')), at('x')), 'x'],
    ['CSV', () => reading(csvFile(at('x')), at('x')), 'x'],
    ['Parquet', () => reading(parquetFile(at('x')), at('x')), 'x'],
    ['one of several', () => reading(jsonLinesFile([at('y'), at('x')]), at('x')), 'x'],
    ['by a link', () => reading(jsonLinesFile(at('in-link.jsonl')), at('dir/in.jsonl')), 'dir/in.jsonl'],
    ['the link', () => reading(jsonLinesFile(at('in-link.jsonl')), at('in-link.jsonl')), 'in-link.jsonl'],
    ['a directory', () => reading(jsonLinesFile(at('link')), at('dir/deep/x')), 'dir/deep/x'],
    ['a kept result', () => reading(keptResult(at('dir')), at('dir/x')), 'dir/x'],
    ['a pattern', () => reading(jsonLinesFile(at('dir/*.jsonl')), at('dir/x.jsonl')), 'dir/x.jsonl'],
    ['a pattern by a link', () => reading(csvFile(at('link/*.csv')), at('dir/x.csv')), 'dir/x.csv'],
    ['a relative pattern', () => reading(csvFile(relative('.', at('dir/*.csv'))), at('dir/x.csv')), 'dir/x.csv'],
    ['a pattern of directories', () => reading(csvFile(at('**/*.csv')), at('dir/deep/x.csv')), 'dir/deep/x.csv'],
    ['a pattern that matches only directories', () => reading(csvFile('/**/*'), at('dir/x')), 'dir/x'],
    ['a pattern with a choice', () => reading(csvFile(at('{a,dir}/x-[0-9].csv')), at('dir/x-7.csv')), 'dir/x-7.csv'],
    ['a pattern of later parts', () => reading(jsonLinesFile(at('x_*')), at('x')), 'x_part-00001'],
    [
      'a pattern of part files',
      () => reading(jsonLinesFile(at('dir/x-*.jsonl')), at('dir/x.jsonl'), 2),
      'dir/x-00000-of-00002.jsonl',
    ],
  ])('is refused: %s', (_, plan, file) => {
    expect(plan()).toThrow(`The sink "out" writes ${at(file)}, which the source "rows" reads`);
  });

  it.each<[how: string, plan: () => () => unknown]>([
    ['another file', () => reading(jsonLinesFile(at('x')), at('y'))],
    ['what no pattern is like', () => reading(jsonLinesFile(at('dir/*.jsonl')), at('dir/x.csv'))],
    ['a path below a pattern', () => reading(jsonLinesFile(at('dir/*.jsonl')), at('dir/deep/x.jsonl'))],
    ['beside the directory of a pattern', () => reading(jsonLinesFile(at('dir/*.jsonl')), at('x.jsonl'))],
    ['a path that a pattern excludes', () => reading(jsonLinesFile(at('dir/*')), at('dir/.x'))],
    ['beside a directory', () => reading(jsonLinesFile(at('dir')), at('dir-2'))],
    ['an unreadable path', () => reading(jsonLinesFile(at('circle')), at('y'))],
    ['a path that is not read with its directory', () => reading(jsonLinesFile(at('dir')), at('dir/_out/x'))],
  ])('is planned otherwise: %s', (_, plan) => {
    expect(plan()).not.toThrow();
  });
});

describe('kept results in the place of another output', () => {
  it.each<[how: string, plan: () => () => unknown]>([
    ['the file of a sink', () => keeping(at('o'), at('o'))],
    ['in it', () => keeping(at('o'), at('o/file'))],
    ['around it, by a link', () => keeping(at('link/o/kept'), at('dir/o'))],
  ])('are refused: %s', (_, plan) => {
    expect(plan()).toThrow(
      /The sink "out" writes .*, and the exchange "rows" → "step" keeps its results in .*\. Use two places/,
    );
  });

  it('are refused if another exchange keeps its own there, through a link', () => {
    expect(keeping(at('dir/o'), at('out'), 'link/o')).toThrow(/both keep their results in .*dir\/o/);
  });

  it('are planned elsewhere', () => {
    expect(keeping(at('o'), at('p'))).not.toThrow();
  });
});
