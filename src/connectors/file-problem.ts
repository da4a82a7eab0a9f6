import { basename, sep } from 'node:path';
import { FileAccessError } from '../errors/connector-errors.ts';
import { toError } from '../errors/thrown-value.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';

const problemByCode: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'too many open files',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
};

/** What stays as it is until somebody mends it: the path is wrong, or not ours. */
const lastingCodes: ReadonlySet<string> = new Set([
  'ENOTDIR',
  'EISDIR',
  'EACCES',
  'EPERM',
  'EROFS',
  'ELOOP',
  'ENAMETOOLONG',
]);

/** Whether it may name a file: a text that is not empty and holds no NUL, which no system takes. */
export function isPath(path: unknown): path is string {
  return typeof path === 'string' && path !== '' && !path.includes('\0');
}

/** @throws InvalidArgumentError unless it is a path, of a file that need not be there */
export function checkPath(path: unknown): void {
  if (!isPath(path)) throw new InvalidArgumentError('path', path, 'the path of a file');
}

/** @throws InvalidArgumentError unless it is a path as {@link checkPath} takes it that may be the name of a file */
export function checkOutputPath(path: string): void {
  checkPath(path);
  if (isDirectoryPath(path)) {
    throw new InvalidArgumentError('path', path, 'the path of a file, not of a directory: name a file in it');
  }
}

/** Whether a path can only name a directory, as it is written. */
function isDirectoryPath(path: string): boolean {
  return path.endsWith('/') || path.endsWith(sep) || ['.', '..'].includes(basename(path));
}

/** What the operating system said about `file`, as a {@link FileAccessError}; any other error stays what it is. */
export function fileProblem(file: string, verb: 'read' | 'write' | 'delete', thrown: unknown): Error {
  const error = toError(thrown);
  const { code: said, syscall } = error as NodeJS.ErrnoException;
  if (said === undefined || error instanceof FileAccessError || syscall === undefined) return error;
  // What stands where a directory has to be made.
  const code = said === 'EEXIST' && syscall === 'mkdir' ? 'ENOTDIR' : said;
  return new FileAccessError(file, `cannot ${verb}: ${problemByCode[code] ?? error.message} (${code})`, {
    cause: error,
    // What a sink has lost, its next attempt writes again.
    recovery: lastingCodes.has(code) || (verb === 'read' && code === 'ENOENT') ? 'never' : 'restart',
  });
}
