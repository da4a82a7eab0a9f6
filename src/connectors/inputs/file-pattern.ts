import { relative, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import { placeOf } from '../../partitions/claims/path-place.ts';

/** Whether a path is written as a glob pattern. A file may still have that name. */
export function isPattern(path: string): boolean {
  const { isGlob, negated } = picomatch.scan(withSlashes(path));
  return isGlob || negated;
}

/** A path or pattern with `/` as separator, as patterns need it. */
export function withSlashes(path: string): string {
  return sep === '\\' ? path.replaceAll('\\', '/') : path;
}

/**
 * Whether a pattern will match a file once the file exists, even if the pattern reaches its directory through links.
 *
 * @param file an absolute path whose directory is not a link
 */
export function isLike(pattern: string, file: string): boolean {
  const { base, glob } = picomatch.scan(withSlashes(pattern));
  const path = withSlashes(relative(placeOf(resolve(base)), file));
  return path !== '' && !path.startsWith('../') && picomatch.isMatch(path, glob);
}
