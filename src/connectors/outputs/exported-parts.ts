import { constants, copyFile, link, mkdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import { syncDirectory, syncFile } from '../../partitions/storage/file-segment.ts';
import { fileProblem } from '../file-problem.ts';
import { identityOf, isAt, lostPart, type PreparedPart, type PreparedParts } from './prepared-part.ts';

/** A part in a savepoint. Plain data. */
interface ExportedPart extends PreparedPart {
  /** Its name in the directory to which it was exported. */
  readonly file: string;
}

/** What a subtask had prepared, in a savepoint. Plain data. */
export interface ExportedParts extends PreparedParts {
  readonly parts: readonly ExportedPart[];
}

/**
 * Links the parts that are pending, or were committed meanwhile, to a directory, which keeps them when the output itself goes
 * on without them. Copies where links are impossible: on another file system.
 * @throws PreparedOutputLostError | FileAccessError
 */
export async function exportParts(prepared: PreparedParts, directory: string): Promise<ExportedParts> {
  const parts: ExportedPart[] = [];
  for (const part of prepared.parts) {
    const file = basename(part.place);
    try {
      if (parts.length === 0) await mkdir(directory, { recursive: true });
      const isPending = await linkTo(part.temporary, join(directory, file));
      if (!isPending && (await isAt(part.place, part.identity))) await linkTo(part.place, join(directory, file));
      await stat(join(directory, file)).catch((error: unknown) => {
        throw lostPart(part, error);
      });
    } catch (error) {
      throw fileProblem(part.path, 'write', error);
    }
    parts.push({ ...part, file });
  }
  if (parts.length > 0) await syncDirectory(directory);
  return { ...prepared, parts };
}

/**
 * Puts the parts of a savepoint where they were pending, so that they can be committed, whatever has become of them there.
 * @throws CheckpointUnreadableError if the savepoint lacks one; FileAccessError
 */
export async function importParts(exported: ExportedParts, directory: string): Promise<PreparedParts> {
  const parts: PreparedPart[] = [];
  for (const { file, ...part } of exported.parts) {
    const source = join(directory, file);
    const found = await stat(source).catch(() => undefined);
    if (found?.size !== part.bytes) {
      const problem = found === undefined ? 'it is missing' : `it has ${found.size} bytes, not ${part.bytes}`;
      throw new CheckpointUnreadableError(source, problem);
    }
    const { temporary } = part;
    try {
      if (!(await isAt(temporary, part.identity))) {
        await mkdir(dirname(temporary), { recursive: true });
        await rm(temporary, { force: true });
        await linkTo(source, temporary);
        await syncDirectory(dirname(temporary));
      }
      parts.push({ ...part, identity: await identityOf(temporary) });
    } catch (error) {
      throw fileProblem(part.path, 'write', error);
    }
  }
  return { ...exported, parts };
}

/** Makes `to` another name of a file, or a copy of it. @returns false if there is no such file */
async function linkTo(from: string, to: string): Promise<boolean> {
  const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';
  try {
    await link(from, to);
  } catch (error) {
    if (isMissing(error)) return false;
    try {
      await copyFile(from, to, constants.COPYFILE_EXCL);
    } catch (failure) {
      // It was committed meanwhile.
      if (isMissing(failure)) return false;
      throw failure;
    }
    await syncFile(to);
  }
  return true;
}
