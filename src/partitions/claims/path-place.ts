import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** What a path leads to: one text for all its spellings, with every link on the way resolved, as far as they are there. */
export function placeOf(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(placeOf(parent), basename(absolute));
  }
}

/** The entry that a path names, be it a link: what is replaced by who renames a file to it. */
export function entryOf(path: string): string {
  const absolute = resolve(path);
  return join(placeOf(dirname(absolute)), basename(absolute));
}
