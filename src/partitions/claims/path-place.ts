import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** The canonical form of a path, with all existing links resolved. */
export function placeOf(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(placeOf(parent), basename(absolute));
  }
}

/** The directory entry that a path names, even if it is a link: the entry that a rename to the path replaces. */
export function entryOf(path: string): string {
  const absolute = resolve(path);
  return join(placeOf(dirname(absolute)), basename(absolute));
}
