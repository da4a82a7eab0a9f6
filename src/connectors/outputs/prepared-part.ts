import { rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../partitions/storage/file-segment.ts';
import { fileProblem } from '../file-problem.ts';
import { checkOutputFile } from './output-file.ts';

/** A part file that is complete and on the disk, and does not have its name yet. Plain data. */
export interface PreparedPart {
  /** The path as the user gave it, for messages. */
  readonly path: string;
  /** Where it is. */
  readonly temporary: string;
  /** Where it belongs. */
  readonly place: string;
  /** Its inode, which a rename does not change: tells whether the file in its place is this one. */
  readonly inode: string;
}

/** The inode of a file. */
export async function inodeOf(path: string): Promise<string> {
  return `${(await stat(path, { bigint: true })).ino}`;
}

/**
 * Renames a prepared file into place, replacing the one of an earlier attempt or run. Safe to call again.
 * @throws FileAccessError if the file is gone, and the one in its place is another
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
