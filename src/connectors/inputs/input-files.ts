import * as callbacks from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, join, normalize, resolve } from 'node:path';
import { type FileSystemAdapter, glob } from 'tinyglobby';
import { FileAccessError, NoInputError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { fileProblem, isPath } from '../file-problem.ts';
import { isPattern, withSlashes } from './file-pattern.ts';
import { checkPartSets, partsOf } from './part-set.ts';

/**
 * What a source reads: a file, a directory (all files in and below it whose names begin with neither `.` nor `_`), a glob
 * pattern, or several of these.
 */
export type InputPaths = string | readonly string[];

/** @throws InvalidArgumentError unless they are paths */
export function checkInputPaths(paths: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(paths) ? paths : [paths];
  if (list.length === 0 || !list.every(isPath)) {
    throw new InvalidArgumentError('path', paths, 'the path of a file or directory, a pattern, or a list of these');
  }
  return list as readonly string[];
}

/** Whether `paths` can name more than one file, as far as that can be told from how they are written. */
export function areSeveral(paths: readonly string[]): boolean {
  return paths.length > 1 || paths.some((path) => /[/\\]$/.test(path) || isPattern(path));
}

/** Short, for messages and as the name of a source. */
export function nameOfInput(paths: readonly string[]): string {
  const [first = '', ...others] = paths;
  const name = isPattern(first) ? first : basename(first);
  return others.length === 0 ? name : `${name} and ${others.length} more`;
}

/**
 * The files that `paths` name now, sorted by path, each once. A path that is a file is that file, whatever characters are
 * in it. Where there is none, but part files of it as a parallel sink writes them, it is those.
 *
 * @throws NoInputError for a directory or pattern that holds no file
 * @throws FileAccessError for a path of nothing, and for what may not be looked into
 * @throws PartFilesError for part files that are not one whole result
 */
export async function filesOf(paths: readonly string[], signal?: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    signal?.throwIfAborted();
    found.push(...(await filesAt(path, signal)));
  }
  const files = await eachOnce(found.toSorted());
  await checkPartSets(files);
  return files;
}

/** Without those that are other names, or links, of one before. */
async function eachOnce(paths: readonly string[]): Promise<readonly string[]> {
  const pathByPlace = new Map<string, string>();
  for (const path of paths) {
    const place = await realpath(path).catch(() => resolve(path));
    if (!pathByPlace.has(place)) pathByPlace.set(place, path);
  }
  return [...pathByPlace.values()];
}

async function filesAt(path: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const found = await stat(path).then(
    (stats) => ({ stats }),
    (problem: unknown) => ({ problem }),
  );
  if ('stats' in found) {
    if (found.stats.isDirectory()) return filesBelow(path, signal);
    if (found.stats.isFile()) return [path];
    throw new FileAccessError(path, 'cannot read: not a file', { recovery: 'never' });
  }
  if (isPattern(path)) return filesLike(path, signal);
  const parts = await partsOf(path);
  if (parts.length === 0) throw fileProblem(path, 'read', found.problem);
  return parts;
}

async function filesBelow(directory: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const names = await match('**/*', { cwd: directory, ignore: ['**/_*', '**/_*/**'] }, signal);
  if (names.length === 0) {
    throw new NoInputError(
      directory,
      'there is no file in this directory (names that begin with "." or "_" do not count)',
    );
  }
  return names.map((name) => join(directory, name));
}

async function filesLike(pattern: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const files = await match(pattern, { absolute: isAbsolutePattern(pattern) }, signal);
  if (files.length === 0) throw new NoInputError(pattern, 'no file has a name like this');
  return files.map(normalize);
}

async function match(
  pattern: string,
  options: { readonly cwd?: string; readonly absolute?: boolean; readonly ignore?: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const failures: NodeJS.ErrnoException[] = [];
  const found = await glob(withSlashes(pattern), {
    ...options,
    expandDirectories: false,
    fs: noting(failures),
    ...(signal && { signal }),
  });
  signal?.throwIfAborted();
  const [failure] = failures;
  if (failure !== undefined) throw fileProblem(failure.path ?? pattern, 'read', failure);
  return found;
}

/** The file system, whose errors are noted: a glob passes over what it may not look into, and the records in there. */
function noting(failures: NodeJS.ErrnoException[]): FileSystemAdapter {
  type Done = (error: NodeJS.ErrnoException | null, ...results: unknown[]) => void;
  const noted = <Call>(call: Call): Call => {
    const calling = (...args: unknown[]): void => {
      const done = args.pop() as Done;
      (call as (...args: unknown[]) => void)(...args, ((error, ...results) => {
        if (error !== null && error.code !== 'ENOENT') failures.push(error);
        done(error, ...results);
      }) satisfies Done);
    };
    return calling as Call;
  };
  const { readdir, realpath: resolveLink, stat: look } = callbacks;
  return { readdir: noted(readdir), realpath: noted(resolveLink), stat: noted(look) };
}

function isAbsolutePattern(pattern: string): boolean {
  return pattern.startsWith('/') || /^[A-Za-z]:[/\\]/.test(pattern);
}
