import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PreparedOutputLostError } from '../../errors/checkpoint-errors.ts';
import { propertyOf } from '../../foreign-value.ts';
import { syncDirectory } from '../../partitions/storage/file-segment.ts';
import { fileProblem } from '../file-problem.ts';
import type { BegunPart } from './begun-part.ts';
import { checkOutputFile } from './output-file.ts';
import { laterPartsOf, pendingName } from './part-path.ts';

/** A part file that is complete and synced, but does not have its final name yet. Plain data. */
export interface PreparedPart {
  /** The path as the user gave it, for messages. */
  readonly path: string;
  /** The absolute path of the first part of its subtask. */
  readonly first: string;
  /** Its number among the parts of its subtask, from 0. */
  readonly number: number;
  /** Its current absolute path. */
  readonly temporary: string;
  /** Its final absolute path. */
  readonly place: string;
  /** What a rename does not change: identifies this file at its final path. */
  readonly identity: string;
  readonly records: number;
  readonly bytes: number;
}

/** Where a part is written, and where it will be. */
export type PartPlace = Pick<PreparedPart, 'path' | 'first' | 'number' | 'temporary' | 'place'>;

/** The parts that were there when a run went on at another parallelism. */
export interface EarlierParts {
  readonly parallelism: number;
  /** By subtask: the number of its next part; null if it had finished. */
  readonly next: readonly (number | null)[];
}

/** What a subtask has prepared for a checkpoint, or for its end. Plain data. */
export interface PreparedParts {
  /** Those that are complete, in the order in which they were written. */
  readonly parts: readonly PreparedPart[];
  /** The number of the next part. */
  readonly next: number;
  /** The next part, if it has records already. It is not committed. */
  readonly begun?: BegunPart | undefined;
  /** Those of the times when the output had another parallelism; absent if it never had. */
  readonly before?: readonly EarlierParts[];
}

/** The inode of a file, and the time of its last change, because a deleted file's inode is given to another one. */
export async function identityOf(path: string): Promise<string> {
  const { ino, mtimeNs } = await stat(path, { bigint: true });
  return `${ino}@${mtimeNs}`;
}

/** Whether a file is the one of that identity. */
export async function isAt(path: string, identity: string): Promise<boolean> {
  return (await identityOf(path).catch(() => undefined)) === identity;
}

/**
 * Renames a prepared file into place, replacing the one of an earlier attempt or run, and removes the parts after it,
 * which can only be theirs. Safe to call again: then it changes nothing.
 * @throws PreparedOutputLostError | FileAccessError
 */
export async function commitPart(part: PreparedPart): Promise<void> {
  const { path, temporary, place, identity, first, number } = part;
  try {
    checkOutputFile(place);
    if (await isAt(place, identity)) {
      // A savepoint may have linked it again.
      await rm(temporary, { force: true });
    } else {
      const isRenamed = await rename(temporary, place).then(
        () => true,
        async (error: unknown) => {
          // Another process or task does the same.
          if (await isAt(place, identity)) return false;
          if (await isMissing(temporary)) throw lostPart(part, error);
          throw error;
        },
      );
      if (isRenamed) await removePartsFrom(first, number + 1);
    }
    await syncDirectory(dirname(place));
  } catch (error) {
    throw fileProblem(path, 'write', error);
  }
}

/** A part of which there is nothing, neither pending nor in place. */
export function lostPart({ path, temporary, records }: PreparedPart, cause: unknown): PreparedOutputLostError {
  return new PreparedOutputLostError(path, temporary, records, { cause });
}

async function isMissing(path: string): Promise<boolean> {
  return await stat(path).then(
    () => false,
    (error: unknown) => propertyOf(error, 'code') === 'ENOENT',
  );
}

/**
 * Moves a part out of the claim, with which unfinished files go: a complete checkpoint may name it when the run, or its
 * process, has ended.
 *
 * @returns the part with its new place; the same if it is there already
 */
export async function setAside<Part extends PartPlace>(part: Part, directory: string): Promise<Part> {
  if (isAside(part, directory)) return part;
  const temporary = join(directory, pendingName(part.first, basename(part.temporary)));
  try {
    const isMade = (await mkdir(directory, { recursive: true })) !== undefined;
    await rename(part.temporary, temporary);
    await syncDirectory(directory);
    if (isMade) await syncDirectory(dirname(directory));
    return { ...part, temporary };
  } catch (error) {
    throw fileProblem(part.path, 'write', error);
  }
}

/** Moves a file to where a checkpoint names it: the next attempt, too, begins with that. */
export async function putBack(file: string, temporary: string): Promise<void> {
  await mkdir(dirname(temporary), { recursive: true });
  await rename(file, temporary);
  await syncDirectory(dirname(temporary));
}

/** Whether a part is where a checkpoint may name it. */
function isAside({ temporary }: PartPlace, directory: string): boolean {
  return dirname(temporary) === directory;
}

/**
 * Removes a part that nobody will commit, unless a checkpoint may name it. On a disk that has become read-only it stays:
 * why the part was given up is what has to be told, and the next attempt or run removes it.
 */
export async function removeUnfinished(part: PartPlace, pending: string): Promise<void> {
  if (!isAside(part, pending)) await rm(part.temporary, { force: true }).catch(() => {});
}

/** Removes the parts of a subtask from a number above 0 on; the last one first, so that no gap is left if it dies. */
export async function removePartsFrom(first: string, number: number): Promise<void> {
  for (const later of laterPartsOf(first, number).toReversed()) await rm(later, { force: true });
}
