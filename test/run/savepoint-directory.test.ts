import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SavepointFailedError } from '../../src/errors/savepoint-errors.ts';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import { claimDirectory } from '../../src/run/savepoints/savepoint-directory.ts';

let home: string;
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'claims-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('the directory of a savepoint', () => {
  it('belongs to one at a time, also if both had found it empty', () => {
    const path = join(home, 'a', 'b');
    const release = claimDirectory(path, path);
    expect(() => claimDirectory(path, path)).toThrow(InvalidArgumentError);
    expect(readdirSync(path)).toHaveLength(1);
    release();
    expect(readdirSync(path)).toEqual([]);
    claimDirectory(path, path)();
  });

  it('is refused if one was completed in it since it was found empty, which stays as it is', () => {
    const path = join(home, 'a');
    const release = claimDirectory(path, path);
    writeFileSync(join(path, 'manifest'), 'complete');
    release();
    expect(() => claimDirectory(path, path)).toThrow(InvalidArgumentError);
    expect(readdirSync(path)).toEqual(['manifest']);
  });

  it('that cannot be created is no mistake in the call', () => {
    writeFileSync(join(home, 'file'), '');
    const path = join(home, 'file', 'a');
    expect(() => claimDirectory(path, path)).toThrow(SavepointFailedError);
  });

  (existsSync('/proc/self') ? it : it.skip)('that its file system does not take is refused with the remedy', () => {
    const path = '/proc/kintsugi/savepoint';
    expect(() => claimDirectory(path, path)).toThrow(
      /takes no new directories \(ENOENT\)\. Name a directory on a disk/,
    );
  });
});
