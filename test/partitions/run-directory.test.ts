import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { claimDirectory, sweepOrphans } from '../../src/partitions/run-directory.ts';

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'runs-'));
});
afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

/** The number of a process that was there and is no more. */
const deadPid = spawnSync(process.execPath, ['-e', '']).pid;

function directoryOf(name: string, owner: string | undefined): string {
  const directory = join(parent, name);
  mkdirSync(directory);
  writeFileSync(join(directory, 'partition-0-0'), 'bytes');
  if (owner !== undefined) writeFileSync(join(directory, 'owner.json'), owner);
  return directory;
}

describe('the directory of a run', () => {
  it('notes whose it is', async () => {
    const directory = await claimDirectory(parent);
    expect(basename(directory)).toMatch(/^kintsugi-/);
    expect(JSON.parse(readFileSync(join(directory, 'owner.json'), 'utf8'))).toEqual({
      pid: process.pid,
      host: hostname(),
    });
  });

  it('is swept when its process has died', async () => {
    const orphan = directoryOf('kintsugi-dead', JSON.stringify({ pid: deadPid, host: hostname() }));
    await sweepOrphans(parent);
    expect(existsSync(orphan)).toBe(false);
  });

  it.each<readonly [string, string, string | undefined]>([
    ['of this process', 'kintsugi-mine', JSON.stringify({ pid: process.pid, host: hostname() })],
    ['of a process that may not be signalled', 'kintsugi-init', JSON.stringify({ pid: 1, host: hostname() })],
    ['of another host', 'kintsugi-far', JSON.stringify({ pid: deadPid, host: 'elsewhere' })],
    ['that is being made', 'kintsugi-new', undefined],
    ['whose owner cannot be read', 'kintsugi-odd', '{'],
    ['that is not ours', 'other-dead', JSON.stringify({ pid: deadPid, host: hostname() })],
  ])('is never swept if it is one %s', async (_, name, owner) => {
    const directory = directoryOf(name, owner);
    await sweepOrphans(parent);
    expect(readdirSync(directory)).toContain('partition-0-0');
  });

  it('a parent that is not there is nothing to sweep', async () => {
    await expect(sweepOrphans(join(parent, 'nowhere'))).resolves.toBeUndefined();
  });
});
