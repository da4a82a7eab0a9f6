import { FileAccessError, InvalidArgumentError, toError } from '../errors.ts';

const problemByCode: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
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

/** @throws InvalidArgumentError unless it is a path, of a file that need not be there */
export function checkPath(path: unknown): void {
  if (typeof path !== 'string' || path === '') throw new InvalidArgumentError('path', path, 'the path of a file');
}

/** What the operating system said about `file`, as a {@link FileAccessError}; any other error stays what it is. */
export function fileProblem(file: string, verb: 'read' | 'write' | 'delete', thrown: unknown): Error {
  const error = toError(thrown);
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined || error instanceof FileAccessError || !('syscall' in error)) return error;
  return new FileAccessError(file, `cannot ${verb}: ${problemByCode[code] ?? error.message} (${code})`, {
    cause: error,
    // What a sink has lost, its next attempt writes again.
    recovery: lastingCodes.has(code) || (verb === 'read' && code === 'ENOENT') ? 'never' : 'restart',
  });
}
