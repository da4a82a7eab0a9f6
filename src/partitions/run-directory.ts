import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type ProcessTable, systemProcesses } from './process-table.ts';

const prefix = 'kintsugi-';
/** Of a directory whose owner is not noted yet. */
const unclaimedPrefix = `.${prefix}`;
const ownerFile = 'owner.json';

/** Whose a directory is. */
interface Owner extends Pick<ProcessTable, 'host' | 'machineId' | 'pidNamespace' | 'bootId' | 'pid'> {
  readonly startTime: string | undefined;
}

/** Makes a directory for the files of a run. It has its name only once it is noted whose it is. */
export async function claimDirectory(parent: string, processes: ProcessTable = systemProcesses()): Promise<string> {
  const unclaimed = await mkdtemp(join(parent, unclaimedPrefix));
  try {
    await writeFile(join(unclaimed, ownerFile), JSON.stringify(ownerOf(processes)));
    const directory = join(parent, basename(unclaimed).slice(1));
    await rename(unclaimed, directory);
    return directory;
  } catch (error) {
    await rm(unclaimed, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** The directory belongs to no run any more. */
export async function disownDirectory(directory: string): Promise<void> {
  await rm(join(directory, ownerFile), { force: true });
}

/**
 * Removes the directories of runs whose process has died. Only where that is certain: the owner is noted, its number means
 * the same to us, and its process is not there any more. What cannot be read or removed is left to others.
 */
export async function sweepOrphans(parent: string, processes: ProcessTable = systemProcesses()): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  await Promise.all(
    names
      .filter((name) => name.startsWith(prefix) || name.startsWith(unclaimedPrefix))
      .map(async (name) => {
        const directory = join(parent, name);
        const owner = await readOwner(directory);
        if (owner !== undefined && isDead(owner, processes)) await sweep(directory).catch(() => {});
      }),
  );
}

function ownerOf({ host, machineId, pidNamespace, bootId, pid, startTime }: ProcessTable): Owner {
  return { pid, startTime: startTime(pid), host, machineId, pidNamespace, bootId };
}

function isDead(owner: Owner, processes: ProcessTable): boolean {
  const { host, machineId, pidNamespace, bootId } = processes;
  if (owner.host !== host || owner.machineId !== machineId || owner.pidNamespace !== pidNamespace) return false;
  if (owner.bootId !== bootId) {
    // Of a machine that does not say which it is, it may be another one, and running.
    return owner.bootId !== undefined && bootId !== undefined && machineId !== undefined;
  }
  if (!processes.has(owner.pid)) return true;
  const startTime = processes.startTime(owner.pid);
  return owner.startTime !== undefined && startTime !== undefined && owner.startTime !== startTime;
}

async function readOwner(directory: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(join(directory, ownerFile), 'utf8')) as Owner;
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the note last: what is left when this process dies over it is swept by the next. */
async function sweep(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name !== ownerFile);
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true, force: true })));
  await rm(directory, { recursive: true, force: true });
}
