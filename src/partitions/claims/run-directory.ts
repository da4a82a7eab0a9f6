import { mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OwnDirectory } from './own-directory.ts';
import { decodeOwner, encodeOwner, isDead, longestNoteBytes, ownerFile, ownerOf } from './owner-note.ts';
import { type ProcessTable, systemProcesses } from './process-table.ts';

const prefix = 'kintsugi-';
/** Prefix of a directory without an owner's note yet. */
const unclaimedPrefix = `.${prefix}`;

/** Creates a directory for the files of a run. It gets its name only once the owner's note is inside. */
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

/** Removes the owner's note, so that the directory belongs to no run. */
export async function disownDirectory(directory: string): Promise<void> {
  await rm(join(directory, ownerFile), { force: true });
}

/**
 * Removes the directories of runs whose process is certainly dead: the directory is a real one of this user, it has an
 * owner's note whose pid has the same meaning here, and no such process exists. Directories that cannot be read or
 * removed stay. Never blocks: only regular files are opened.
 *
 * @param isOver asked before each step; true stops the sweep
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
    // Last, so that the next sweep finds the rest if this process dies now.
    await rm(directory.at(ownerFile), { force: true });
  } finally {
    directory.close();
  }
  // If a link has taken the name, this removes nothing.
  await rmdir(path);
}
