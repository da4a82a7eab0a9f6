import { checkWord } from '../../options.ts';

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
