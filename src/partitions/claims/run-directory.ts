import { mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OwnDirectory } from './own-directory.ts';
import { decodeOwner, encodeOwner, isDead, longestNoteBytes, ownerFile, ownerOf } from './owner-note.ts';
import { type ProcessTable, systemProcesses } from './process-table.ts';

const prefix = 'kintsugi-';
/** Of a directory whose owner is not noted yet. */
const unclaimedPrefix = `.${prefix}`;

/** Makes a directory for the files of a run. It has its name only once it is noted whose it is. */
export async function claimDirectory(parent: string, processes: ProcessTable = systemProcesses()): Promise<string> {
  const unclaimed = await mkdtemp(join(parent, unclaimedPrefix));
  try {
    await writeFile(join(unclaimed, ownerFile), encodeOwner(ownerOf(processes)));
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
 * Removes the directories of runs whose process has died. Only where that is certain: the directory is a real one of this
 * user's, its owner is noted, its number means the same to us, and its process is not there any more. What cannot be read
 * or removed is left to others. Waits for nobody: what is no regular file is not opened.
 *
 * @param isOver asked before each step; no other is begun then
 */
export async function sweepOrphans(
  parent: string,
  processes: ProcessTable = systemProcesses(),
  isOver: () => boolean = () => false,
): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix) && !name.startsWith(unclaimedPrefix)) continue;
    if (isOver()) return;
    await sweepIfOrphaned(join(parent, name), processes, isOver).catch(() => {});
  }
}

async function sweepIfOrphaned(path: string, processes: ProcessTable, isOver: () => boolean): Promise<void> {
  const directory = OwnDirectory.open(path);
  if (directory === undefined) return;
  try {
    const note = directory.read(ownerFile, longestNoteBytes);
    const owner = note && decodeOwner(note);
    if (owner === undefined || !isDead(owner, processes)) return;
    for (const name of directory.names()) {
      if (isOver()) return;
      if (name !== ownerFile) await rm(directory.at(name), { recursive: true, force: true });
    }
    // Last: what is left when this process dies over it is swept by the next.
    await rm(directory.at(ownerFile), { force: true });
  } finally {
    directory.close();
  }
  // Of a link that has got the name meanwhile this removes nothing.
  await rmdir(path);
}
