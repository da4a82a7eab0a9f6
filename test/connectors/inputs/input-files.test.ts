import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { areSeveral, checkInputPaths, filesOf, nameOfInput } from '../../../src/connectors/inputs/input-files.ts';
import { failureOf } from '../subtasks.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'input-files-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string): string => join(directory, name);

function make(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), name);
  }
}

const find = async (...paths: string[]): Promise<string[]> =>
  (await filesOf(paths.map(at))).map((file) => relative(directory, file));

const parts = (name: string, of: number): string[] =>
  Array.from({ length: of }, (_, number) =>
    name.replace('.', `-${String(number).padStart(5, '0')}-of-${String(of).padStart(5, '0')}.`),
  );

describe('the files that paths name', () => {
  it.each<[title: string, made: string[], paths: string[], found: string[]]>([
    ['a file', ['a.csv', 'b.csv'], ['a.csv'], ['a.csv']],
    ['files, sorted, each once', ['a', 'b', 'c'], ['c', 'a', './c'], ['a', 'c']],
    ['a directory', ['d/b', 'd/a', 'e'], ['d'], ['d/a', 'd/b']],
    ['a directory with a slash', ['d/a'], ['d/'], ['d/a']],
    ['directories in it', ['d/x/b', 'd/a', 'd/x/y/c'], ['d'], ['d/a', 'd/x/b', 'd/x/y/c']],
    [
      'a directory, without hidden and marked files, and unfinished ones of sinks',
      ['d/a', 'd/.b', 'd/_SUCCESS', 'd/_tmp/c', 'd/.tmp/c', 'd/.a.kintsugi/run.0.0'],
      ['d'],
      ['d/a'],
    ],
    ['a directory whose name is a pattern', ['d[1]/a', 'd1/b'], ['d[1]'], ['d[1]/a']],
    ['a file whose name is a pattern', ['a[1].csv', 'a1.csv'], ['a[1].csv'], ['a[1].csv']],
    ['a pattern', ['a1', 'a2', 'b1', 'd/a3'], ['a*'], ['a1', 'a2']],
    [
      'a pattern over directories',
      ['d/a.csv', 'd/e/a.csv', 'd/b.txt', 'a.csv'],
      ['d/**/*.csv'],
      ['d/a.csv', 'd/e/a.csv'],
    ],
    ['alternatives', ['a.csv', 'b.csv', 'c.csv'], ['{a,c}.csv'], ['a.csv', 'c.csv']],
    ['patterns that overlap', ['a1', 'a2', 'b1'], ['a*', '*1'], ['a1', 'a2', 'b1']],
    ['a pattern, without unfinished files of sinks', ['a', '.a.kintsugi/run.0.0'], ['**/*'], ['a']],
    ['more than ten, by name and not by number', ['p10', 'p9', 'p1'], ['p*'], ['p1', 'p10', 'p9']],
    ['part files of a missing file', [...parts('r.csv', 3), 'r.txt'], ['r.csv'], parts('r.csv', 3)],
    ['the file, where there are parts as well', ['r.csv', ...parts('r.csv', 2)], ['r.csv'], ['r.csv']],
    [
      'a file, with the parts that were written after it',
      ['r.csv', 'r_part-00001.csv', 'r_part-00002.csv', 'r_part-00004.csv', 's.csv'],
      ['r.csv'],
      ['r.csv', 'r_part-00001.csv', 'r_part-00002.csv'],
    ],
    [
      'part files of a missing file, with those that were written after them',
      [...parts('r.csv', 2), 'r-00001-of-00002_part-00001.csv'],
      ['r.csv'],
      [...parts('r.csv', 2), 'r-00001-of-00002_part-00001.csv'],
    ],
    ['part files in a directory', parts('d/r.csv', 12), ['d'], parts('d/r.csv', 12)],
    ['part files like a pattern', parts('r.csv', 3), ['r-*.csv'], parts('r.csv', 3)],
    [
      'some part files, on purpose',
      parts('r.csv', 3),
      ['r-0000[02]*'],
      ['r-00000-of-00003.csv', 'r-00002-of-00003.csv'],
    ],
    [
      'part files of two results',
      [...parts('r.csv', 2), ...parts('s.csv', 3)],
      ['.'],
      [...parts('r.csv', 2), ...parts('s.csv', 3)],
    ],
    [
      'part files with a longer extension',
      ['r-00000-of-00002.jsonl.gz', 'r-00001-of-00002.jsonl.gz'],
      ['r.jsonl.gz'],
      ['r-00000-of-00002.jsonl.gz', 'r-00001-of-00002.jsonl.gz'],
    ],
  ])('%s', async (_title, made, paths, found) => {
    make(...made);
    expect(await find(...paths)).toEqual(found);
  });

  it('links to files and directories, each once', async () => {
    make('d/a', 'e/b');
    symlinkSync(at('d/a'), at('link'));
    symlinkSync(at('d'), at('e/d'));
    symlinkSync(at('e'), at('e/loop'));
    symlinkSync(at('nothing'), at('e/broken'));
    expect(await find('link')).toEqual(['link']);
    expect(await find('e')).toEqual(['e/b', 'e/d/a']);
  });

  it('relative paths and patterns', async () => {
    make('a1', 'a2');
    const here = relative(process.cwd(), directory);
    expect(await filesOf([`${here}/a*`])).toEqual([`${here}/a1`, `${here}/a2`]);
    expect(await filesOf([`${here}/`])).toEqual([`${here}/a1`, `${here}/a2`]);
  });
});

describe('paths without files', () => {
  it.each<[title: string, made: string[], path: string, failure: object]>([
    [
      'nothing',
      [],
      'a.csv',
      { code: 'FILE_ACCESS', message: expect.stringMatching(/a\.csv: cannot read: no such file/) },
    ],
    [
      'a pattern without matches',
      ['b'],
      'a*',
      {
        code: 'NO_INPUT',
        recovery: 'never',
        pattern: expect.stringMatching(/a\*$/),
        message: expect.stringMatching(/a\*: no file matches this pattern$/),
      },
    ],
    ['a pattern in no directory', [], 'd/*', { code: 'NO_INPUT' }],
    [
      'an empty directory',
      ['d/_SUCCESS'],
      'd',
      { code: 'NO_INPUT', message: expect.stringMatching(/d: this directory has no files/) },
    ],
    ['a device', [], '../../dev/null', { code: 'FILE_ACCESS', message: expect.stringMatching(/not a file/) }],
    ['a path through a file', ['a'], 'a/b', { code: 'FILE_ACCESS', message: expect.stringMatching(/not a directory/) }],
  ])('%s', async (_title, made, path, failure) => {
    make(...made);
    expect(await failureOf(find(path))).toMatchObject(failure);
  });

  it.each<[title: string, made: string[], path: string, sets: number[], message: RegExp]>([
    [
      'two sets for a path',
      [...parts('r.csv', 3), ...parts('r.csv', 4)],
      'r.csv',
      [3, 4],
      /r\.csv: results of runs with different parallelism are present: .*r-00000-of-00003\.csv beside .*r-00000-of-00004\.csv\. Remove/,
    ],
    [
      'two sets in a directory',
      [...parts('d/r.csv', 4), ...parts('d/r.csv', 12)],
      'd',
      [4, 12],
      /00004\.csv beside .*00012\.csv/,
    ],
    ['two sets like a pattern', [...parts('r.csv', 2), ...parts('r.csv', 3)], 'r-*', [2, 3], /beside/],
    [
      'a whole beside its parts',
      ['d/r.csv', ...parts('d/r.csv', 2)],
      'd',
      [1, 2],
      /d\/r\.csv beside .*r-00000-of-00002\.csv/,
    ],
    [
      'a part that is missing',
      parts('r.csv', 3).toSpliced(1, 1),
      'r.csv',
      [3],
      /r-00001-of-00003\.csv is missing, but .*r-00000-of-00003\.csv exists/,
    ],
    [
      'a subtask that is missing beside a later part of another',
      ['r-00000-of-00002.csv', 'r-00000-of-00002_part-00001.csv'],
      'r.csv',
      [2],
      /r-00001-of-00002.csv is missing/,
    ],
    [
      'a part that is missing in a directory',
      parts('d/r.csv', 3).toSpliced(2, 1),
      'd',
      [3],
      /r-00002-of-00003\.csv is missing/,
    ],
  ])('%s', async (_title, made, path, sets, message) => {
    make(...made);
    expect(await failureOf(find(path))).toMatchObject({
      code: 'PART_FILES_INCONSISTENT',
      recovery: 'never',
      file: expect.stringMatching(/r\.csv$/),
      sets,
      message: expect.stringMatching(message),
    });
  });

  it('an unreadable directory', async () => {
    make('d/a', 'd/e/b');
    chmodSync(at('d/e'), 0);
    const found = find('d');
    // The superuser can read every directory.
    if (process.getuid?.() === 0) expect(await found).toEqual(['d/a', 'd/e/b']);
    else expect(await failureOf(found)).toMatchObject({ code: 'FILE_ACCESS', file: at('d/e') });
    chmodSync(at('d/e'), 0o700);
  });
});

it.each([
  ['a.csv', false],
  ['d', false],
  ['d/', true],
  ['d/*.csv', true],
  [['a', 'b'], true],
])('%j can name several files: %p', (paths, several) => {
  expect(areSeveral(checkInputPaths(paths))).toBe(several);
});

it.each([
  ['d/a.csv', 'a.csv'],
  ['d/*.csv', 'd/*.csv'],
  [['d/a.csv', 'b', 'c'], 'a.csv and 2 more'],
])('the short name of %j is %s', (paths, name) => {
  expect(nameOfInput(checkInputPaths(paths))).toBe(name);
});

it.each([[''], [[]], [['a', '']], ['a\0b'], [7], [undefined]])('%j is not a path or a list of paths', (paths) => {
  expect(() => checkInputPaths(paths)).toThrow(/^path: expected the path of a file or directory/);
});
