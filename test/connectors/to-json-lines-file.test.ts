import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { jsonLinesFile } from '../../src/connectors/json/json-lines-file.ts';
import { partPath } from '../../src/connectors/outputs/part-path.ts';
import { toJsonLinesFile, type ToJsonLinesFileOptions } from '../../src/connectors/json/to-json-lines-file.ts';
import { systemEnvironment } from '../../src/environment.ts';
import { testRun } from '../support/test-run.ts';
import { draws } from '../support/draws.ts';
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
  ['out/a.ndjson.gz', 2, 4, 'out/a-00002-of-00004.ndjson.gz'],
  ['a.gz', 0, 2, 'a-00000-of-00002.gz'],
  ['.hidden', 0, 2, '.hidden-00000-of-00002'],
])('%s of subtask %i of %i is %s', (path, subtask, parallelism, part) => {
  expect(partPath(path, subtask, parallelism)).toBe(part);
});

it('the output of one subtask is read back unchanged', async () => {
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

  it('nothing is visible before the commit', async () => {
    const path = freshPath();
    const writer = await sink(path).open(contextOf());
    await writer.write(['x'.repeat(1_000_000)]);
    expect(existsSync(path)).toBe(false);
    await writer.commit();
    expect(readFileSync(path).length).toBe(1_000_003);
  });

  it("an aborted attempt leaves only its run's claim, which ends with the run", async () => {
    const path = freshPath();
    const run = testRun();
    const writer = await sink(path).open(contextOf({ run }));
    await writer.write(['lost']);
    await writer.abort();
    expect(filesBeside(path)).toEqual(['.out.ndjson.kintsugi']);
    run.end();
    expect(filesBeside(path)).toEqual([]);
  });

  it('an abort keeps the commit of an earlier attempt', async () => {
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

  it('no file is removed because of its name alone', async () => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    const others = ['out.ndjson.attempt-0.tmp', 'out.ndjson.attempt-notes.tmp', 'out.ndjson.tmp'];
    for (const name of others) writeFileSync(join(dirname(path), name), 'mine');
    await writeSubtask(sink(path), ['new'], { attempt: 1 });
    expect(filesBeside(path)).toEqual(['out.ndjson', ...others]);
  });

  it('a replaced attempt can no longer commit', async () => {
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

it('makes the task wait only when the buffer is full', async () => {
  const writer = await toJsonLinesFile<string>(freshPath()).open(contextOf());
  expect(writer.write(['small'])).toBeUndefined();
  const written = writer.write(['x'.repeat(300_000)]);
  expect(written).toBeInstanceOf(Promise);
  await written;
  expect(writer.write(['small'])).toBeUndefined();
  await writer.abort();
});

function circle(): object {
  const ring: { self?: unknown } = {};
  ring.self = ring;
  return ring;
}

it.each<[title: string, record: unknown, problem: string]>([
  ['undefined', undefined, 'undefined has no JSON form'],
  ['a function', () => 1, 'function has no JSON form'],
  ['a function in a record', { f: () => 1, a: 1 }, '"f": function has no JSON form'],
  ['a symbol', { a: [Symbol('x')] }, '"a.0": symbol has no JSON form'],
  ['NaN', { a: { b: NaN } }, '"a.b": NaN has no JSON form'],
  ['Infinity', [1, -Infinity], '"1": -Infinity has no JSON form'],
  ['undefined in an array', { a: [1, undefined] }, '"a.1": undefined has no JSON form'],
  ['a hole in an array', Object.assign([], { length: 1 }), '"0": undefined has no JSON form'],
  ['a Map', { a: new Map() }, '"a": Map has no JSON form'],
  ['a Set', { a: new Set([1]) }, '"a": Set has no JSON form'],
  ['an Error', { a: new TypeError('x') }, '"a": Error has no JSON form'],
  ['a promise', Promise.resolve(1), 'Promise has no JSON form'],
  ['a regular expression', [/x/], '"0": RegExp has no JSON form'],
  ['an object with hidden content', { a: new Headers({ b: 'c' }) }, '"a": an instance of Headers has no JSON form'],
  ['NaN in an object', { a: Object(NaN) as unknown }, '"a": NaN has no JSON form'],
  ['bytes', { a: new Uint8Array(2) }, '"a": Uint8Array has no JSON form'],
  ['a buffer', { a: Buffer.from('x') }, '"a": Buffer has no JSON form'],
  ['an invalid date', { a: new Date(NaN) }, '"a": an invalid Date has no JSON form'],
  ['what `toJSON` returns', { a: { toJSON: () => [NaN] } }, '"a.0": NaN has no JSON form'],
  ['a circle', circle(), '"self": it contains itself'],
])('%s is refused', async (_title, record, problem) => {
  const path = freshPath();
  const failure = await failureOf(writeSubtask(toJsonLinesFile(path), [record]));
  expect(failure).toMatchObject({ code: 'UNRECOVERABLE', recovery: 'never' });
  expect(failure.message).toBe(
    `${path}: a record cannot be written as JSON: ${problem}. Map to plain data before the sink`,
  );
});

it('a bigint is refused unless `int64` decides', async () => {
  const path = freshPath();
  const records = [{ id: 2n ** 63n, n: [-5n] }];
  const failure = await failureOf(writeSubtask(toJsonLinesFile(path), records));
  expect(failure.message).toBe(
    `${path}: a record cannot be written as JSON: "id": a bigint has no JSON form. Set \`int64\` to 'number' or 'string'`,
  );
  await writeSubtask(toJsonLinesFile(path, { int64: 'number' }), records);
  expect(readFileSync(path, 'utf8')).toBe('{"id":9223372036854775808,"n":[-5]}\n');
  expect(await readSubtasks(jsonLinesFile(path, { int64: 'bigint' }))).toEqual([[{ id: 2n ** 63n, n: [-5] }]]);
  await writeSubtask(toJsonLinesFile(path, { int64: 'string' }), records);
  expect(await readSubtasks(jsonLinesFile(path))).toEqual([[{ id: '9223372036854775808', n: ['-5'] }]]);
});

it.each<[title: string, record: unknown, line: string]>([
  ['a date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['a property that is undefined', { a: undefined, b: 1, n: 1e300 }, '{"b":1,"n":1e+300}'],
  [
    'an integer beyond 2^53, with all its digits',
    [2 ** 60, { a: -(2 ** 63), b: undefined }],
    '[1152921504606846976,{"a":-9223372036854775808}]',
  ],
  ['-0', [-0, { a: -0, b: 0 }], '[-0,{"a":-0,"b":0}]'],
  ['an object with `toJSON`', { a: 2 ** 60, b: { toJSON: (key: string) => key } }, '{"a":1152921504606846976,"b":"b"}'],
  ['an instance of a class', Object.assign(Object.create({ inherited: 1 }) as object, { own: 1 }), '{"own":1}'],
  ['`__proto__`', JSON.parse('{"__proto__":{"a":1152921504606846976}}'), '{"__proto__":{"a":1152921504606846976}}'],
  ['primitives in objects', [Object(1), Object('x'), Object(true), 2 ** 60], '[1,"x",true,1152921504606846976]'],
  ['half of a surrogate pair', '\ud800', '"\\ud800"'],
  ['one object twice', ((one) => [one, one, 2 ** 60])({ a: 1 }), '[{"a":1},{"a":1},1152921504606846976]'],
])('%s is written as read', async (_title, record, line) => {
  const path = freshPath();
  await writeSubtask(toJsonLinesFile(path), [record]);
  expect(readFileSync(path, 'utf8')).toBe(`${line}\n`);
});

it('everything it writes is read back unchanged', async () => {
  const value = fc.anything({ withBigInt: false, withNullPrototype: false, maxDepth: 3, key: fc.string() });
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 5 }), async (records) => {
      const path = freshPath();
      try {
        await writeSubtask(toJsonLinesFile(path), records);
      } catch (error) {
        expect(error).toMatchObject({ code: 'UNRECOVERABLE', message: expect.stringContaining(' has no JSON form. ') });
        return;
      }
      // Except for undefined properties.
      const [read] = await readSubtasks(jsonLinesFile(path));
      expect(JSON.stringify(read)).toBe(JSON.stringify(records));
      expect(read).toEqual(records);
    }),
    { numRuns: draws(100, 300) },
  );
});

describe('gzip', () => {
  const lines = Array.from({ length: 40_000 }, (_, id) => ({ id, text: '継'.repeat(id % 30) }));

  it.each<[name: string, options: ToJsonLinesFileOptions]>([
    ['out.ndjson.gz', {}],
    ['out.ndjson', { compression: 'gzip' }],
  ])('%s with %j is compressed, and read back', async (name, options) => {
    const path = freshPath(name);
    await writeSubtask(toJsonLinesFile(path, options), lines);
    const packed = readFileSync(path);
    expect(gunzipSync(packed).toString()).toBe(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(packed.length).toBeLessThan(gunzipSync(packed).length / 3);
    expect(await readSubtasks(jsonLinesFile(path))).toEqual([lines]);
    await writeSubtask(toJsonLinesFile(path, options), lines);
    expect(readFileSync(path).equals(packed)).toBe(true);
  });

  it('without records it is valid gzip, too', async () => {
    const path = freshPath('out.ndjson.gz');
    await writeSubtask(toJsonLinesFile(path), []);
    expect(gunzipSync(readFileSync(path)).length).toBe(0);
    expect(await readSubtasks(jsonLinesFile(path))).toEqual([[]]);
  });

  it('can be switched off, and an aborted attempt leaves nothing', async () => {
    const path = freshPath('out.ndjson.gz');
    await writeSubtask(toJsonLinesFile(path, { compression: 'none' }), [1]);
    expect(readFileSync(path, 'utf8')).toBe('1\n');
    const failure = await failureOf(writeSubtask(toJsonLinesFile(path), [1, undefined]));
    expect(failure.message).toContain('undefined has no JSON form');
    expect(filesBeside(path)).toEqual(['out.ndjson.gz']);
  });

  it('another compression is refused', () => {
    expect(() => toJsonLinesFile('x', { compression: 'zip' as 'gzip' })).toThrow(
      'compression: expected "gzip" or "none", got "zip"',
    );
  });
});

it('a directory that cannot be created is named', async () => {
  const file = freshPath('file');
  await writeSubtask(toJsonLinesFile(file), []);
  const path = `${file}/out.ndjson`;
  const failure = await failureOf(writeSubtask(toJsonLinesFile(path), []));
  expect(failure).toMatchObject({ code: 'FILE_ACCESS', recovery: 'never', file: path });
});
