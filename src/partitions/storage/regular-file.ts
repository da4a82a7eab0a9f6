import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { readRange } from './frame-reader.ts';

// Windows has only the first of these; undefined adds no bits.
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Opens a file for reading. Does not follow links and never blocks: a pipe or a device is refused. */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if ((await handle.stat()).isFile()) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw new Error('it is not a regular file');
}

/** All bytes of a file. @throws Error if it has more than `mostBytes` */
export async function readRegularFile(path: string, mostBytes: number): Promise<Uint8Array> {
  const handle = await openRegularFile(path);
  try {
    const { size } = await handle.stat();
    if (size > mostBytes) throw new Error(`it has ${size} bytes, more than the limit of ${mostBytes}`);
    return await readRange(handle, 0, size);
  } finally {
    await handle.close();
  }
}
