import { readlinkSync, statSync } from 'node:fs';
import { FileAccessError } from '../../errors/connector-errors.ts';

/**
 * Looks whether a file can be put at `file` without taking away something else: a device, a pipe or a directory that has
 * its name, or to which a link of that name leads. What is not there, or cannot be looked at, is left to whoever writes.
 * @throws FileAccessError
 */
export function checkOutputFile(file: string): void {
  const problem = problemAt(file);
  if (problem !== undefined) throw new FileAccessError(file, `cannot write: ${problem}`, { recovery: 'never' });
}

function problemAt(file: string): string | undefined {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined || (found.isFile() && !isOpenFile(file))) return undefined;
    return found.isDirectory()
      ? 'is a directory. Name a file in it'
      : 'is a device, a pipe or a socket, which a file would replace. Name a file, or write to a stream (`toNodeWritable`)';
  } catch {
    return undefined;
  }
}

/** Whether it is a name for what a process has open, as `/dev/stdout`, whatever that is. */
function isOpenFile(file: string): boolean {
  try {
    return readlinkSync(file).startsWith('/proc/');
  } catch {
    return false;
  }
}
