import { resolve } from 'node:path';
import { InvalidArgumentError } from '../../../errors/usage-errors.ts';
import { propertyOf } from '../../../foreign-value.ts';
import { checkInteger, checkOptions } from '../../../options.ts';

/** Options of {@link lmdbState}. */
export interface LmdbStateOptions {
  /**
   * A directory on a local disk, which is created if it does not exist. Each process and each worker has its own in it, and
   * removes it at its end; those of dead processes are removed by the next run. Not in memory (`tmpfs`).
   */
  readonly directory: string;
  /**
   * Most bytes of keyed states, about, that an executor has in memory, for all of its tasks together: one for the run, or
   * one for each worker. Default 64 MiB.
   */
  readonly cacheBytes?: number | undefined;
}

/** Keyed states on disk: see {@link lmdbState}. Plain data. */
export interface LmdbState {
  readonly kind: 'lmdb';
  /** An absolute path. */
  readonly directory: string;
  readonly cacheBytes: number;
}

const defaultCacheBytes = 64 * 1_024 * 1_024;

/**
 * Keeps keyed states on a local disk, so that they may be larger than memory, in files of `lmdb`, which is a package to be
 * installed. The files are working state alone: what counts is the checkpoint.
 *
 * @throws InvalidArgumentError
 */
export function lmdbState(options: LmdbStateOptions): LmdbState {
  checkOptions('lmdbState', options, { directory: true, cacheBytes: true });
  const { directory, cacheBytes = defaultCacheBytes } = options;
  if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) {
    throw new InvalidArgumentError('lmdbState.directory', directory, 'the path of a directory on a local disk');
  }
  checkInteger('lmdbState.cacheBytes', cacheBytes, 1);
  return Object.freeze({ kind: 'lmdb', directory: resolve(directory), cacheBytes });
}

/** @throws InvalidArgumentError unless it is what {@link lmdbState} made, or undefined */
export function checkStateBackend(given: unknown): void {
  if (given === undefined || propertyOf(given, 'kind') === 'lmdb') return;
  throw new InvalidArgumentError('checkpoints.stateBackend', given, 'lmdbState({ directory })');
}
