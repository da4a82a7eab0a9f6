import { basename, sep } from 'node:path';
import { FileAccessError } from '../errors/connector-errors.ts';
import { diskRemedy } from '../errors/disk-remedy.ts';
import { toError } from '../errors/thrown-value.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';

const problemByCode: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'its links form a cycle',
  EMFILE: 'too many open files',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the quota of its disk is used up',
  EROFS: 'the file system is read-only',
};

/** Codes that no retry cures: the path is wrong, or not accessible. */
const lastingCodes: ReadonlySet<string> = new Set([
  'ENOTDIR',
  'EISDIR',
  'EACCES',
  'EPERM',
  'EROFS',
  'ELOOP',
  'ENAMETOOLONG',
]);

/** Whether `path` may name a file: a non-empty string without NUL, which no operating system accepts. */
export function isPath(path: unknown): path is string {
  return typeof path === 'string' && path !== '' && !path.includes('\0');
}

/** @throws InvalidArgumentError unless `path` may name a file, existing or not */
export function checkPath(path: unknown): void {
  if (!isPath(path)) throw new InvalidArgumentError('path', path, 'the path of a file');
}

/** @throws InvalidArgumentError unless `path` passes {@link checkPath} and does not name a directory */
export function checkOutputPath(path: string): void {
  checkPath(path);
  if (isDirectoryPath(path)) {
    throw new InvalidArgumentError('path', path, 'the path of a file, not of a directory: name a file in it');
  }
}

/** Whether a path, as written, can only name a directory. */
function isDirectoryPath(path: string): boolean {
  return path.endsWith('/') || path.endsWith(sep) || ['.', '..'].includes(basename(path));
}

/** Turns an operating system error about `file` into a {@link FileAccessError}; returns any other error unchanged. */
export function fileProblem(file: string, verb: 'read' | 'write' | 'delete', thrown: unknown): Error {
  const error = toError(thrown);
  const { code: said, syscall } = error as NodeJS.ErrnoException;
  if (said === undefined || error instanceof FileAccessError || syscall === undefined) return error;
  // A file is in the place of a directory that has to be created.
  const code = said === 'EEXIST' && syscall === 'mkdir' ? 'ENOTDIR' : said;
  const remedy = verb === 'read' ? undefined : diskRemedy(error, { elsewhere: 'name another path' });
  const problem = `cannot ${verb}: ${problemByCode[code] ?? error.message} (${code})`;
  return new FileAccessError(file, `${problem}${remedy === undefined ? '' : `. ${remedy}`}`, {
    cause: error,
    // A sink writes a lost file again in its next attempt.
    recovery: lastingCodes.has(code) || (verb === 'read' && code === 'ENOENT') ? 'never' : 'restart',
  });
}
