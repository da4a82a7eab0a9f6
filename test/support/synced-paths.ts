import { existsSync, readlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Where a process finds the paths of its open files. */
const descriptors = '/proc/self/fd';

/**
 * The paths of what is synced by file handles from now on, until mocks are restored; undefined where paths of open files cannot be
 * known.
 */
export async function syncedPaths(): Promise<string[] | undefined> {
  if (!existsSync(descriptors)) return undefined;
  const handle = await open(__filename);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const paths: string[] = [];
  for (const operation of ['sync', 'datasync'] as const) {
    const original = prototype[operation];
    jest.spyOn(prototype, operation).mockImplementation(function (this: FileHandle) {
      paths.push(readlinkSync(`${descriptors}/${this.fd}`));
      return original.apply(this);
    });
  }
  return paths;
}
