import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { jsonLinesFile } from '../../src/connectors/json-lines-file.ts';
import { partPath } from '../../src/connectors/part-file.ts';
import { toJsonLinesFile } from '../../src/connectors/to-json-lines-file.ts';
import { systemEnvironment } from '../../src/environment.ts';
import { testRun } from '../support/test-run.ts';
import { contextOf, failureOf, readSubtasks, scratchDirectory, writeSubtask } from './subtasks.ts';

const at = scratchDirectory();
let directories = 0;
/** A path in a directory that does not exist yet. */
const freshPath = (name = 'out.ndjson') => at(`${directories++}/deep/${name}`);
const filesBeside = (path: string) => readdirSync(dirname(path)).toSorted();

it.each<[path: string, subtask: number, parallelism: number, part: string]>([
  ['out/a.ndjson', 0, 1, 'out/a.ndjson'],
  ['out/a.ndjson', 2, 4, 'out/a-00002-of-00004.ndjson'],
  ['a', 11, 12, 'a-00011-of-00012'],
  ['/x/a.b.csv', 0, 2, '/x/a.b-00000-of-00002.csv'],
  ['.hidden', 0, 2, '.hidden-00000-of-00002'],
])('%s of subtask %i of %i is %s', (path, subtask, parallelism, part) => {
  expect(partPath(path, subtask, parallelism)).toBe(part);
});

it('what one subtask writes is what is read back', async () => {
  const path = freshPath();
  const records = [{ text: '継\n' }, [1], 'x', null, 1.5];
  await writeSubtask(toJsonLinesFile(path), records);
  expect(await readSubtasks(jsonLinesFile(path))).toEqual([records]);
  expect(filesBeside(path)).toEqual(['out.ndjson']);
});

it('several subtasks write a file each', async () => {
  const path = freshPath();
  for (let subtask = 0; subtask < 3; subtask++) {
    await writeSubtask(toJsonLinesFile<number>(path), [subtask], { subtask, parallelism: 3 });
  }
  expect(filesBeside(path)).toEqual([0, 1, 2].map((subtask) => `out-0000${subtask}-of-00003.ndjson`));
  expect(readFileSync(partPath(path, 1, 3), 'utf8')).toBe('1\n');
});

it('a subtask without records leaves an empty file', async () => {
  const path = freshPath();
  await writeSubtask(toJsonLinesFile(path), []);
  expect(readFileSync(path, 'utf8')).toBe('');
});

describe('exactly once', () => {
  const sink = (path: string) => toJsonLinesFile<string>(path);

  it('nothing is seen before the commit', async () => {
    const path = freshPath();
    const writer = await sink(path).open(contextOf());
    await writer.write(['x'.repeat(1_000_000)]);
    expect(existsSync(path)).toBe(false);
    await writer.commit();
    expect(readFileSync(path).length).toBe(1_000_003);
  });

  it('an attempt that is aborted leaves nothing but the claim of its run, which goes with that', async () => {
    const path = freshPath();
    const run = testRun();
    const writer = await sink(path).open(contextOf({ run }));
    await writer.write(['lost']);
    await writer.abort();
    expect(filesBeside(path)).toEqual(['.out.ndjson.kintsugi']);
    run.end();
    expect(filesBeside(path)).toEqual([]);
  });

  it('an abort keeps what an earlier attempt committed', async () => {
    const path = freshPath();
    await writeSubtask(sink(path), ['kept']);
    const writer = await sink(path).open(contextOf({ attempt: 1 }));
    await writer.write(['lost']);
    await writer.abort();
    expect(readFileSync(path, 'utf8')).toBe('"kept"\n');
  });

  it('a restarted subtask replaces its file', async () => {
    const path = freshPath();
    const run = testRun();
    await writeSubtask(sink(path), ['first', 'longer'], { run });
    await writeSubtask(sink(path), ['second'], { run, attempt: 1 });
    run.end();
    expect(readFileSync(path, 'utf8')).toBe('"second"\n');
    expect(filesBeside(path)).toEqual(['out.ndjson']);
  });

  it('nothing is removed because of its name', async () => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    const others = ['out.ndjson.attempt-0.tmp', 'out.ndjson.attempt-notes.tmp', 'out.ndjson.tmp'];
    for (const name of others) writeFileSync(join(dirname(path), name), 'mine');
    await writeSubtask(sink(path), ['new'], { attempt: 1 });
    expect(filesBeside(path)).toEqual(['out.ndjson', ...others]);
  });

  it('an attempt that was replaced cannot commit any more', async () => {
    const path = freshPath();
    const run = testRun();
    const old = await sink(path).open(contextOf({ run, attempt: 0 }));
    await old.write(['old']);
    const next = await sink(path).open(contextOf({ run, attempt: 1 }));
    await next.write(['next']);
    expect(await failureOf(Promise.resolve(old.commit()))).toMatchObject({ code: 'FILE_ACCESS', file: path });
    await next.commit();
    expect(readFileSync(path, 'utf8')).toBe('"next"\n');
  });

  it('a commit that fails before the rename leaves nothing', async () => {
    const path = freshPath();
    const reached: unknown[] = [];
    const environment = systemEnvironment({
      faults: {
        reach: (name, place) => {
          reached.push(name, place);
          throw new Error('pulled the plug');
        },
      },
    });
    const failure = await failureOf(writeSubtask(sink(path), ['lost'], { environment }));
    expect(failure.message).toBe('pulled the plug');
    expect(reached).toEqual(['part-file.before-rename', { file: path, subtask: 0 }]);
    expect(filesBeside(path)).toEqual([]);
  });
});

it('holds the task back only when much has come together', async () => {
  const writer = await toJsonLinesFile<string>(freshPath()).open(contextOf());
  expect(writer.write(['small'])).toBeUndefined();
  const written = writer.write(['x'.repeat(300_000)]);
  expect(written).toBeInstanceOf(Promise);
  await written;
  expect(writer.write(['small'])).toBeUndefined();
  await writer.abort();
});

it.each<[title: string, record: unknown, problem: string | RegExp]>([
  ['undefined', undefined, 'undefined has no JSON'],
  ['a function', () => 1, 'function has no JSON'],
  ['a bigint', { a: 1n }, 'Do not know how to serialize a BigInt'],
])('%s is refused', async (_title, record, problem) => {
  const path = freshPath();
  const failure = await failureOf(writeSubtask(toJsonLinesFile(path), [record]));
  expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never' });
  expect(failure.message).toBe(
    `${path}: a record cannot be written as JSON: ${String(problem)}. Map to plain data before the sink`,
  );
});

it('a directory that cannot be made is named', async () => {
  const file = freshPath('file');
  await writeSubtask(toJsonLinesFile(file), []);
  const path = `${file}/out.ndjson`;
  const failure = await failureOf(writeSubtask(toJsonLinesFile(path), []));
  expect(failure).toMatchObject({ code: 'FILE_ACCESS', recovery: 'restart', file: path });
});
