import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SavepointFailedError } from '../../errors/savepoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { makeDirectory } from '../../partitions/claims/make-directory.ts';

const wantedDirectory = 'the path of a directory that is empty or does not exist';

/** @throws InvalidArgumentError unless it is the path of a directory that is empty, or does not exist */
export function emptyDirectory(directory: unknown): string {
  const wanted = wantedDirectory;
  if (typeof directory !== 'string' || directory === '') throw new InvalidArgumentError('directory', directory, wanted);
  const path = resolve(directory);
  let found: readonly string[];
  try {
    found = readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    throw new InvalidArgumentError('directory', directory, `${wanted} (${toError(error).message})`);
  }
  if (found.length > 0) throw new InvalidArgumentError('directory', directory, wanted);
  return path;
}

/**
 * Makes a directory that of one savepoint. @returns ends that, once it is complete
 * @throws InvalidArgumentError if another one is or was written there; SavepointFailedError if it cannot be written
 */
export function claimDirectory(path: string, directory: string): () => void {
  const claim = join(path, 'being-written.kintsugi');
  const release = (): void => rmSync(claim, { force: true });
  try {
    makeDirectory(path);
    writeFileSync(claim, '', { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new InvalidArgumentError('directory', directory, wantedDirectory);
    const cause = toError(error);
    throw new SavepointFailedError(path, 'storing', cause.message, { cause });
  }
  // Another one may have been completed since it was found empty.
  if (readdirSync(path).length === 1) return release;
  release();
  throw new InvalidArgumentError('directory', directory, wantedDirectory);
}
