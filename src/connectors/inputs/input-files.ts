import * as callbacks from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, join, normalize, resolve } from 'node:path';
import type { FileSystemAdapter } from 'tinyglobby';
import { FileAccessError, NoInputError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { fileProblem, isPath } from '../file-problem.ts';
import { isPattern, withSlashes } from './file-pattern.ts';
import { laterPartsOf } from '../outputs/part-path.ts';
import { checkPartSets, partsOf } from './part-set.ts';

/**
 * What a source reads: a file, a directory (all files in and below it, except names that begin with `.` or `_`), a glob
 * pattern, or a list of these.
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

/** Whether `paths`, as written, may name more than one file. */
export function areSeveral(paths: readonly string[]): boolean {
  return paths.length > 1 || paths.some((path) => /[/\\]$/.test(path) || isPattern(path));
}

/** A short name for messages, and for the source. */
export function nameOfInput(paths: readonly string[]): string {
  const [first = '', ...others] = paths;
  const name = isPattern(first) ? first : basename(first);
  return others.length === 0 ? name : `${name} and ${others.length} more`;
}

/**
 * The files that `paths` name now, sorted by path, each once. A path of an existing file is that file, even if it is
 * written like a pattern, with the parts that a sink wrote after it. A path that only has part files, as a parallel sink
 * writes them, stands for those.
 *
 * @throws NoInputError for a directory without files and a pattern without matches
 * @throws FileAccessError for a path that does not exist or may not be read
 * @throws PartFilesError for part files that are not one complete result
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

/** Removes other names of, and links to, an earlier file. */
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
    if (found.stats.isFile()) return [path, ...laterPartsOf(path)];
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
    throw new NoInputError(directory, 'this directory has no files (names that begin with "." or "_" are ignored)');
  }
  return names.map((name) => join(directory, name));
}

async function filesLike(pattern: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const files = await match(pattern, { absolute: isAbsolutePattern(pattern) }, signal);
  if (files.length === 0) throw new NoInputError(pattern, 'no file matches this pattern');
  return files.map(normalize);
}

async function match(
  pattern: string,
  options: { readonly cwd?: string; readonly absolute?: boolean; readonly ignore?: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const failures: NodeJS.ErrnoException[] = [];
  const { glob } = await import('tinyglobby');
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

/**
 * A file system that records errors. The glob library skips unreadable directories silently, and their records would be
 * missing.
 */
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
