import { statSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { partPath } from '../connectors/outputs/part-file.ts';
import { isLike, isPattern } from '../connectors/inputs/file-pattern.ts';
import { JobValidationError } from '../errors/usage-errors.ts';
import { entryOf, placeOf } from '../partitions/claims/path-place.ts';

/** What a job reads and writes, where it can be told. */
export interface OutsidePlaces {
  readonly sources: readonly { readonly uid: string; readonly paths: readonly string[] }[];
  readonly sinks: readonly { readonly uid: string; readonly path: string; readonly parallelism: number }[];
  /** Exchanges that keep their results beyond the job. */
  readonly kept: readonly { readonly source: string; readonly target: string; readonly directory: string }[];
}

/**
 * Looks whether two ends of a job are at one place, however that is spelled.
 * @throws JobValidationError for two that write one file or directory, and for a sink that writes what a source reads
 */
export function checkPlaces({ sources, sinks, kept }: OutsidePlaces): void {
  const directories = checkKept(kept);
  const sinkByFile = checkSinks(sinks);
  for (const [file, sink] of sinkByFile) {
    for (const { source, target, directory } of directories) {
      if (!isWithin(file, directory) && !isWithin(directory, file)) continue;
      throw new JobValidationError(
        [source, target, sink],
        `The sink "${sink}" writes ${file}, and the exchange "${source}" → "${target}" is to keep its results in ${directory}`,
        'Name two places, neither of which is in the other',
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
        `The exchanges "${first.source}" → "${first.target}" and "${second.source}" → "${second.target}" are both to keep their results in ${first.directory}`,
        'Name two directories, neither of which is in the other, or put an operator between a union and its shuffle',
      );
    }
    seen.push({ ...second, directory });
  }
  return seen;
}

/** The sink of each file that is written, or that files are named after. */
function checkSinks(sinks: OutsidePlaces['sinks']): Map<string, string> {
  const sinkByFile = new Map<string, string>();
  for (const { uid, path, parallelism } of sinks) {
    const named = entryOf(path);
    const parts = Array.from({ length: parallelism }, (_, subtask) => partPath(named, subtask, parallelism));
    for (const file of new Set([named, ...parts])) {
      const other = sinkByFile.get(file);
      if (other !== undefined) {
        throw new JobValidationError(
          [other, uid],
          `The sinks "${other}" and "${uid}" both write ${file}`,
          'Name two files, or bring the streams together with union() and write them to one sink',
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
  // What is called like a pattern and is there is a file.
  const isOther = kind === undefined && isPattern(path);
  const reads = (file: string): boolean => {
    if (file === entry || file === place) return true;
    if (kind === 'directory') return isReadWith(place, file);
    return isOther && isLike(path, file);
  };
  const withWhat = kind === 'directory' ? ` with all of ${place}` : isOther ? ` with all that is called ${path}` : '';
  for (const [file, sink] of sinkByFile) {
    if (!reads(file)) continue;
    throw new JobValidationError(
      [uid, sink],
      `The sink "${sink}" writes ${file}, which the source "${uid}" reads${withWhat}`,
      'Write elsewhere: what is read must not change while the job runs',
    );
  }
}

/** Whether who reads a directory reads `file`: what is below it, unless its name or that of a directory hides it. */
function isReadWith(directory: string, file: string): boolean {
  return isWithin(file, directory) && !/(^|[/\\])[._]/.test(relative(directory, file));
}

/** undefined for what is not there, or cannot be looked at: its task will say what is wrong with it. */
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
