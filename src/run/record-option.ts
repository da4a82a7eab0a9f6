import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { checkFunction, checkInteger, checkOptions, type OptionNames } from '../options.ts';

/** Where and how a run records itself. */
export interface RunRecordingOptions {
  /** The file. An earlier recording there moves aside, to the same name with `.1` at its end. */
  readonly file: string;
  /**
   * Maximum bytes on disk. At half of them a new file begins with a picture of the run so far, and the one before moves
   * aside. Default 64 MiB, at least 1 MiB.
   */
  readonly maxBytes?: number | undefined;
  /**
   * Replaces what must not be recorded: called with each value of errors, pictures of records and payloads, and its path
   * (`task.failed.cause.data.user`). Likely secrets are left out anyway.
   */
  readonly redact?: ((value: unknown, path: string) => unknown) | undefined;
}

/** The options with every default filled in. */
export interface ResolvedRecordOptions {
  readonly file: string;
  readonly maxBytes: number;
  readonly redact: RunRecordingOptions['redact'];
}

const names: OptionNames<RunRecordingOptions> = { file: true, maxBytes: true, redact: true };

/** @throws InvalidArgumentError for an invalid option */
export function resolveRecord(given: string | RunRecordingOptions | undefined): ResolvedRecordOptions | undefined {
  if (given === undefined) return undefined;
  const options = typeof given === 'string' ? { file: given } : given;
  checkOptions('record', options, names);
  const { file, maxBytes = 64 << 20, redact } = options;
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new InvalidArgumentError('record', file, 'the path of a file');
  }
  checkInteger('maxBytes of record', maxBytes, 1 << 20);
  if (redact !== undefined) checkFunction('redact of record', redact);
  return { file, maxBytes, redact };
}
