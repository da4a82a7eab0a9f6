import { relative, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import { isDynamicPattern } from 'tinyglobby';
import { placeOf } from '../../partitions/claims/path-place.ts';

/** Whether a path is a glob pattern, unless there is a file of that name. */
export function isPattern(path: string): boolean {
  return isDynamicPattern(withSlashes(path));
}

/** A pattern, or anything else that is written as one, with the separators of patterns. */
export function withSlashes(path: string): string {
  return sep === '\\' ? path.replaceAll('\\', '/') : path;
}

/**
 * Whether a pattern will find a file once it is there, by whatever links the directory is reached that the pattern begins
 * with.
 *
 * @param file an absolute path whose directory is no link
 */
export function isLike(pattern: string, file: string): boolean {
  const { base, glob } = picomatch.scan(withSlashes(pattern));
  const path = withSlashes(relative(placeOf(resolve(base)), file));
  return path !== '' && !path.startsWith('../') && picomatch.isMatch(path, glob);
}
