import { rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../partitions/storage/file-segment.ts';
import { fileProblem } from '../file-problem.ts';
import { checkOutputFile } from './output-file.ts';

/** A part file that is complete and synced, but does not have its final name yet. Plain data. */
export interface PreparedPart {
  /** The path as the user gave it, for messages. */
  readonly path: string;
  /** Its current path. */
  readonly temporary: string;
  /** Its final path. */
  readonly place: string;
  /** Its inode, which a rename does not change: identifies this file at its final path. */
  readonly inode: string;
}

/** The inode of a file. */
export async function inodeOf(path: string): Promise<string> {
  return `${(await stat(path, { bigint: true })).ino}`;
}

/**
 * Renames a prepared file into place, replacing the one of an earlier attempt or run. Safe to call again.
 * @throws FileAccessError if the file is gone and another one is in its place
 */
export async function commitPart({ path, temporary, place, inode }: PreparedPart): Promise<void> {
  try {
    checkOutputFile(place);
    await rename(temporary, place).catch(async (error: unknown) => {
      const isDone =
        (error as NodeJS.ErrnoException).code === 'ENOENT' && (await inodeOf(place).catch(() => undefined)) === inode;
      if (!isDone) throw error;
    });
    await syncDirectory(dirname(place));
  } catch (error) {
    throw fileProblem(path, 'write', error);
  }
}
