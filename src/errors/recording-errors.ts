import { KintsugiError } from './kintsugi-error.ts';

/** A file is not a recording, or one that this version cannot read. */
export class RecordingFormatError extends KintsugiError {
  readonly code = 'RECORDING_FORMAT';
  override readonly recovery = 'never';
  readonly file: string;
  /** The format of a recording that is too new. */
  readonly format: number | undefined;

  constructor(file: string, problem: string, format?: number) {
    super(`${file}: ${problem}`);
    this.file = file;
    this.format = format;
  }
}

/** A recording ends before its run, because a picture of the run leaves too little room in `maxBytes`. */
export class RecordingLimitError extends KintsugiError {
  readonly code = 'RECORDING_LIMIT';
  override readonly recovery = 'never';
  readonly file: string;
  readonly maxBytes: number;
  readonly neededBytes: number;

  constructor(file: string, maxBytes: number, neededBytes: number) {
    super(
      `${file}: the recording ends here, because a picture of the run takes too much of maxBytes (${maxBytes}). ` +
        `Give record a maxBytes of ${neededBytes} or more`,
    );
    this.file = file;
    this.maxBytes = maxBytes;
    this.neededBytes = neededBytes;
  }
}
