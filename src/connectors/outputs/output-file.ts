import { readlinkSync, statSync } from 'node:fs';
import { FileAccessError } from '../../errors/connector-errors.ts';

/**
 * Checks that writing `file` would not replace a device, a pipe or a directory of that name, directly or through a
 * link. A missing or unreadable path passes; the sink reports it when it writes.
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

/** Whether the path names an open file of a process, such as `/dev/stdout`. */
function isOpenFile(file: string): boolean {
  try {
    return readlinkSync(file).startsWith('/proc/');
  } catch {
    return false;
  }
}
