import { statSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { laterPartPath, partPath } from '../../connectors/outputs/part-path.ts';
import { isLike, isPattern } from '../../connectors/inputs/file-pattern.ts';
import { JobValidationError } from '../../errors/usage-errors.ts';
import { entryOf, placeOf } from '../../partitions/claims/path-place.ts';

/** The places that a job reads and writes, as far as they are known. */
export interface OutsidePlaces {
  readonly sources: readonly { readonly uid: string; readonly paths: readonly string[] }[];
  readonly sinks: readonly { readonly uid: string; readonly path: string; readonly parallelism: number }[];
  /** Exchanges whose results are kept beyond the job. */
  readonly kept: readonly { readonly source: string; readonly target: string; readonly directory: string }[];
}

/**
 * Checks that no two ends of a job are the same place, however it is spelled.
 * @throws JobValidationError if two write the same file or directory, or a sink writes a source's input
 */
export function checkPlaces({ sources, sinks, kept }: OutsidePlaces): void {
  const directories = checkKept(kept);
  const sinkByFile = checkSinks(sinks);
  for (const [file, sink] of sinkByFile) {
    for (const { source, target, directory } of directories) {
      if (!isWithin(file, directory) && !isWithin(directory, file)) continue;
      throw new JobValidationError(
        [source, target, sink],
        `The sink "${sink}" writes ${file}, and the exchange "${source}" → "${target}" keeps its results in ${directory}`,
        'Use two places, neither inside the other',
      );
    }
  }
  for (const { uid, paths } of sources) for (const path of paths) checkSource(uid, path, sinkByFile);
}

/** The entries of the directories. */
function checkKept(kept: OutsidePlaces['kept']): OutsidePlaces['kept'] {
  const seen: OutsidePlaces['kept'][number][] = [];
  for (const second of kept) {
    const directory = entryOf(second.directory);
    const first = seen.find((one) => isWithin(one.directory, directory) || isWithin(directory, one.directory));
    if (first !== undefined) {
      throw new JobValidationError(
        [...new Set([first.source, first.target, second.source, second.target])],
        `The exchanges "${first.source}" → "${first.target}" and "${second.source}" → "${second.target}" both keep their results in ${first.directory}`,
        'Use two directories, neither inside the other, or put an operator between a union and its shuffle',
      );
    }
    seen.push({ ...second, directory });
  }
  return seen;
}

/** The sink of each output path, whether a file or the base name of part files. */
function checkSinks(sinks: OutsidePlaces['sinks']): Map<string, string> {
  const sinkByFile = new Map<string, string>();
  for (const { uid, path, parallelism } of sinks) {
    const named = entryOf(path);
    const parts = Array.from({ length: parallelism }, (_, subtask) => partPath(named, subtask, parallelism));
    // With checkpoints there are more, under names that begin alike.
    for (const file of new Set([named, ...parts, ...parts.map((part) => laterPartPath(part, 1))])) {
      const other = sinkByFile.get(file);
      if (other !== undefined) {
        throw new JobValidationError(
          [other, uid],
          `The sinks "${other}" and "${uid}" both write ${file}`,
          'Use two files, or merge the streams with union() into one sink',
        );
      }
      sinkByFile.set(file, uid);
    }
  }
  return sinkByFile;
}

function checkSource(uid: string, path: string, sinkByFile: ReadonlyMap<string, string>): void {
  const [entry, place] = [entryOf(path), placeOf(path)];
  const kind = kindOf(place);
  // An existing path is a file, even if it is written like a pattern.
  const isOther = kind === undefined && isPattern(path);
  const reads = (file: string): boolean => {
    if (file === entry || file === place) return true;
    if (kind === 'directory') return isReadWith(place, file);
    return isOther && isLike(path, file);
  };
  const withWhat = kind === 'directory' ? ` as part of ${place}` : isOther ? ` through the pattern ${path}` : '';
  for (const [file, sink] of sinkByFile) {
    if (!reads(file)) continue;
    throw new JobValidationError(
      [uid, sink],
      `The sink "${sink}" writes ${file}, which the source "${uid}" reads${withWhat}`,
      'Write elsewhere: an input must not change during the run',
    );
  }
}

/**
 * Whether a source that reads `directory` reads `file`: it is below, and neither its name nor a directory on the way is
 * hidden.
 */
function isReadWith(directory: string, file: string): boolean {
  return isWithin(file, directory) && !/(^|[/\\])[._]/.test(relative(directory, file));
}

/** undefined for a missing or unreadable path; its task will report that. */
function kindOf(place: string): 'directory' | 'other' | undefined {
  try {
    return statSync(place).isDirectory() ? 'directory' : 'other';
  } catch {
    return undefined;
  }
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}
