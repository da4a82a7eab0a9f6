import { mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FileAccessError } from '../../errors/connector-errors.ts';

/** How often to begin again when other processes remove directories above it at the same moment. */
const mostTries = 8;

/**
 * Creates a directory with those above it. Returns the first one created; undefined if it was there.
 *
 * Node's own recursive `mkdir` never returns where a file system denies that a new directory's parent exists, as `/proc`
 * does.
 *
 * @throws FileAccessError for such a file system; Error of the operating system
 */
export function makeDirectory(path: string, mode = 0o777): string | undefined {
  const directory = resolve(path);
  let first: string | undefined;
  for (let tries = 0; ; tries++) {
    try {
      mkdirSync(directory, { mode });
      return first ?? directory;
    } catch (error) {
      if (isDirectory(directory)) return first;
      const parent = dirname(directory);
      if (codeOf(error) !== 'ENOENT' || parent === directory) throw error;
      if (isDirectory(parent)) throw takesNoDirectories(directory, parent, error);
      if (tries === mostTries) throw error;
      first = makeDirectory(parent, mode) ?? first;
    }
  }
}

/** Creates a directory with a random name. @throws FileAccessError, Error as {@link makeDirectory} */
export function makeFreshDirectory(parent: string, prefix: string): string {
  try {
    return mkdtempSync(resolve(parent, prefix));
  } catch (error) {
    throw codeOf(error) === 'ENOENT' && isDirectory(parent) ? takesNoDirectories(parent, parent, error) : error;
  }
}

function takesNoDirectories(path: string, parent: string, cause: unknown): FileAccessError {
  const problem = `the file system of ${parent} takes no new directories (ENOENT). Name a directory on a disk`;
  return new FileAccessError(path, problem, { cause, recovery: 'never' });
}

/** False also where it cannot be examined, as below a file: the error of making it says more. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
