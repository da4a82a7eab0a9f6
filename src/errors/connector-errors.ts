import type { RunId } from '../ids.ts';
import { KintsugiError, type Recovery } from './kintsugi-error.ts';

/** Input that does not parse. Says where: file, line and column or row, counted from 1, as far as known. */
export class MalformedInputError extends KintsugiError {
  readonly code = 'MALFORMED_INPUT';
  override readonly recovery = 'never';
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Of a file that has no lines. */
  readonly row: number | undefined;

  constructor(
    at: { readonly file: string; readonly line?: number; readonly column?: number; readonly row?: number },
    problem: string,
    options?: { cause?: unknown },
  ) {
    const line = at.line === undefined ? '' : `:${at.line}`;
    const column = at.column === undefined ? '' : `:${at.column}`;
    const row = at.row === undefined ? '' : `, row ${at.row}`;
    super(`${at.file}${line}${column}${row}: ${problem}`, options);
    this.file = at.file;
    this.line = at.line;
    this.column = at.column;
    this.row = at.row;
  }
}

/**
 * A file that a connector reads or writes is missing, changed or refused. Names the file; a restart may find it well, unless
 * `recovery` says that it will not.
 */
export class FileAccessError extends KintsugiError {
  readonly code = 'FILE_ACCESS';
  override readonly recovery: Recovery;
  readonly file: string;

  constructor(file: string, problem: string, options: { cause?: unknown; recovery?: Recovery } = {}) {
    super(`${file}: ${problem}`, options);
    this.file = file;
    this.recovery = options.recovery ?? 'restart';
  }
}

/** How an input is not what it was when the run began. */
export type InputChange = 'shorter' | 'beginning differs' | 'end differs' | 'written to' | 'last line continued';

/**
 * A file is not what it was when the run began, and what was read of it may belong to neither the old nor the new
 * content. A restart reads the same new content, so it cures nothing.
 */
export class InputChangedError extends KintsugiError {
  readonly code = 'INPUT_CHANGED';
  override readonly recovery = 'never';
  readonly file: string;
  readonly change: InputChange;

  constructor(file: string, change: InputChange, details: string) {
    super(
      `${file}: changed since the run began: ${details}. Run the job again, and let nobody change its input meanwhile; appending whole lines is allowed`,
    );
    this.file = file;
    this.change = change;
  }
}

/** A directory or pattern that a source is to read names no file. */
export class NoInputError extends KintsugiError {
  readonly code = 'NO_INPUT';
  override readonly recovery = 'never';
  /** As it was given. */
  readonly pattern: string;

  constructor(pattern: string, problem: string) {
    super(`${pattern}: ${problem}`);
    this.pattern = pattern;
  }
}

/**
 * Part files of a parallel sink that are not one whole result: some are missing, or there are those of runs with
 * different parallelism.
 */
export class PartFilesError extends KintsugiError {
  readonly code = 'PART_FILES_INCONSISTENT';
  override readonly recovery = 'never';
  /** The file that the parts are of, as `out/rows.jsonl`. */
  readonly file: string;
  /** For each set that was found, how many parts it should have; 1 for `file` itself. */
  readonly sets: readonly number[];

  constructor(file: string, sets: readonly number[], problem: string) {
    super(`${file}: ${problem}`);
    this.file = file;
    this.sets = sets;
  }
}

/** What a sink or an exchange is to write is written by somebody else now, who is named as far as known. */
export class OutputInUseError extends KintsugiError {
  readonly code = 'OUTPUT_IN_USE';
  override readonly recovery = 'never';
  readonly file: string;
  /** The run that writes it; undefined where nobody has said so. */
  readonly holder: RunId | undefined;
  /** The directory beside it that says so, and that is to be deleted where no run writes any more. */
  readonly claim: string;

  constructor(file: string, claim: string, problem: string, remedy: string, holder?: RunId) {
    super(`${file}: ${problem}. ${remedy}`);
    this.file = file;
    this.claim = claim;
    this.holder = holder;
  }
}

/** A source was asked to read again from the start and cannot. Says how to build one that can. */
export class SourceNotReplayableError extends KintsugiError {
  readonly code = 'SOURCE_NOT_REPLAYABLE';
  override readonly recovery = 'never';
  readonly source: string;

  constructor(source: string, remedy: string) {
    super(`Source "${source}" cannot be read a second time. ${remedy}`);
    this.source = source;
  }
}

/** What is pushed at a source came faster than the job took it, and its buffer is full. */
export class BufferOverflowError extends KintsugiError {
  readonly code = 'BUFFER_OVERFLOW';
  readonly source: string;
  /** Records that the buffer holds. */
  readonly capacity: number;
  /** Records that came so far, the one that did not fit included. */
  readonly receivedCount: number;

  constructor(source: string, capacity: number, receivedCount: number) {
    super(
      `Source "${source}": record ${receivedCount} does not fit, ${capacity} are waiting already. Raise \`capacity\`, or choose to lose records with \`overflow\``,
    );
    this.source = source;
    this.capacity = capacity;
    this.receivedCount = receivedCount;
  }
}
