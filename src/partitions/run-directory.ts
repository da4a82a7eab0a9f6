import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const prefix = 'kintsugi-';
const ownerFile = 'owner.json';

/** Makes a directory for the files of a run, and notes whose it is. */
export async function claimDirectory(parent: string): Promise<string> {
  const directory = await mkdtemp(join(parent, prefix));
  await writeFile(join(directory, ownerFile), JSON.stringify({ pid: process.pid, host: hostname() }));
  return directory;
}

/**
 * Removes the directories of runs whose process has died. Only where that is certain: of this host, with an owner noted,
 * and no process of that number. What cannot be read or removed is left to others.
 */
export async function sweepOrphans(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  await Promise.all(
    names
      .filter((name) => name.startsWith(prefix))
      .map(async (name) => {
        const directory = join(parent, name);
        if (await isOrphan(directory)) await rm(directory, { recursive: true, force: true }).catch(() => {});
      }),
  );
}

async function isOrphan(directory: string): Promise<boolean> {
  try {
    const { pid, host } = JSON.parse(await readFile(join(directory, ownerFile), 'utf8')) as Record<string, unknown>;
    return host === hostname() && Number.isInteger(pid) && !isAlive(pid as number);
  } catch {
    return false;
  }
}

/** A process that we may not signal is alive too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
