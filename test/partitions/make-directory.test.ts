import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileAccessError } from '../../src/errors/connector-errors.ts';
import { collect, Job, range } from '../../src/index.ts';
import { makeDirectory, makeFreshDirectory } from '../../src/partitions/claims/make-directory.ts';
import { thrownBy } from '../support/thrown-by.ts';

const root = mkdtempSync(join(tmpdir(), 'kintsugi-directories-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a directory is created with those above it, and the first of them is told', () => {
  expect(makeDirectory(join(root, 'a', 'b', 'c'))).toBe(join(root, 'a'));
  expect(makeDirectory(join(root, 'a', 'b', 'd'))).toBe(join(root, 'a', 'b', 'd'));
  expect(makeDirectory(join(root, 'a', 'b'))).toBeUndefined();
  expect(makeDirectory('/')).toBeUndefined();
  expect(existsSync(join(root, 'a', 'b', 'c'))).toBe(true);
});

it.each<[what: string, prepare: (path: string) => void, below: string, code: string]>([
  ['a file', (path) => writeFileSync(path, ''), '', 'EEXIST'],
  ['a path through a file', (path) => writeFileSync(path, ''), 'x', 'ENOTDIR'],
  ['a link to nothing', (path) => symlinkSync(`${path}-missing`, path), '', 'EEXIST'],
])('%s is refused with the code of the operating system', (what, prepare, below, code) => {
  const path = join(root, what);
  prepare(path);
  expect(thrownBy(() => makeDirectory(join(path, below)))).toMatchObject({ code });
});

// Only Linux has a file system that says so of every new directory.
const withProc = existsSync('/proc/self') ? describe : describe.skip;

withProc('a file system that says of every new directory that its parent is missing', () => {
  const message = /takes no new directories \(ENOENT\)\. Name a directory on a disk$/;

  it.each<[what: string, make: () => unknown, path: string]>([
    ['a directory', () => makeDirectory('/proc/kintsugi/state'), '/proc/kintsugi'],
    ['a directory with a random name', () => makeFreshDirectory('/proc', 'x-'), '/proc'],
  ])('is named for %s', (_, make, path) => {
    const error = thrownBy(make);
    expect(error).toBeInstanceOf(FileAccessError);
    expect(error).toMatchObject({ file: path, recovery: 'never', message: expect.stringMatching(message) as unknown });
  });

  it.each(['/proc/kintsugi', '/proc', '/proc/self/kintsugi'])('fails a job with its state in %s', async (path) => {
    const job = Job.create('refused');
    job.source('numbers', range(0, 3)).sink('out', collect<number>());
    await expect(job.run({ stateDirectory: path }).result).rejects.toThrow(
      new RegExp(`${path}: .*takes no new directories`),
    );
  });

  it('fails a job that remembers its answers there', async () => {
    const job = Job.create('refused');
    job
      .source('numbers', range(0, 3))
      .mapAsync((id) => Promise.resolve(id), { uid: 'paid', remember: { directory: '/proc/kintsugi' } })
      .sink('out', collect<number>());
    await expect(job.run().result).rejects.toThrow(/\/proc\/kintsugi: .*takes no new directories/);
  });
});
