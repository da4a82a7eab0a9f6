import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

const indexDigits = 5;

/** The file that a subtask writes first: `path` itself at parallelism 1, otherwise `name-00000-of-00004.ext` beside it. */
export function partPath(path: string, subtask: number, parallelism: number): string {
  if (parallelism === 1) return path;
  return withSuffix(path, `-${digits(subtask)}-of-${digits(parallelism)}`);
}

/**
 * The file of a part that a subtask wrote with a checkpoint: `first` itself for 0, `name_part-00001.ext` beside it for 1.
 * By name, they are in the order in which they were written.
 */
export function laterPartPath(first: string, number: number): string {
  return number === 0 ? first : withSuffix(first, `_part-${digits(number)}`);
}

/** The first file of the subtask that wrote the part `path`; `path` itself if it is one. */
export function firstPartPath(path: string): string {
  return join(dirname(path), basename(path).replace(/_part-\d{5,}(?=(\.[^.]*)?(\.gz)?$)/, ''));
}

/** The directory of the parts of `path` that are pending for a checkpoint. Its name is hidden, so that no source reads it. */
export function pendingDirectory(path: string): string {
  return join(dirname(path), `.${basename(path)}.pending`);
}

/** The pending parts of a subtask whose first part is `first`. @param path that of the sink */
export function pendingPartsOf(path: string, first: string): string[] {
  const directory = pendingDirectory(path);
  const names = statSync(directory, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(directory);
  return names.filter((name) => name.startsWith(pendingName(first, ''))).map((name) => join(directory, name));
}

/** The name of a pending part. */
export function pendingName(first: string, about: string): string {
  return `${basename(first)}~${about}`;
}

/** The parts of a subtask that are there, from `number` on. They are numbered without gaps. */
export function laterPartsOf(first: string, number = 1): string[] {
  const found: string[] = [];
  for (let next = number; ; next++) {
    const path = laterPartPath(first, next);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return found;
    found.push(path);
  }
}

function digits(number: number): string {
  return String(number).padStart(indexDigits, '0');
}

function withSuffix(path: string, suffix: string): string {
  const packed = extname(path) === '.gz' ? '.gz' : '';
  const extension = extname(basename(path, packed)) + packed;
  return join(dirname(path), `${basename(path, extension)}${suffix}${extension}`);
}
