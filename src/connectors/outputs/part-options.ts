import { checkInteger, checkMilliseconds, checkWord } from '../../options.ts';

/** Compression of output files. */
export interface PackingOptions {
  /** Default: `gzip` where the path ends in `.gz`, otherwise `none`. */
  readonly compression?: 'gzip' | 'none' | undefined;
}

/** @throws InvalidArgumentError */
export function checkPackingOptions({ compression }: PackingOptions): void {
  if (compression !== undefined) checkWord('compression', compression, ['gzip', 'none']);
}

/** The compression of the files of `path`. */
export function packingOf(path: string, { compression }: PackingOptions): 'gzip' | 'none' {
  return compression ?? (path.endsWith('.gz') ? 'gzip' : 'none');
}

/** When a subtask begins its next part file. */
export interface RollingOptions {
  /**
   * A part is closed once it has this many bytes, looked at after each batch. It is committed with the checkpoint that
   * follows, or at the end. Default: no limit.
   */
  readonly rollBytes?: number | undefined;
  /**
   * A part goes on over checkpoints until it is this old. It is committed with the first checkpoint after that. Default:
   * each checkpoint closes it. Without checkpoints, it has no effect.
   */
  readonly rollIntervalMs?: number | undefined;
}

/** @throws InvalidArgumentError */
export function checkRollingOptions({ rollBytes, rollIntervalMs }: RollingOptions): void {
  if (rollBytes !== undefined) checkInteger('rollBytes', rollBytes, 1);
  if (rollIntervalMs !== undefined) checkMilliseconds('rollIntervalMs', rollIntervalMs);
}
