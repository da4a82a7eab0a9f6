import type { RunId } from '../ids.ts';
import { KintsugiError, type Recovery } from './kintsugi-error.ts';

/** Malformed input. Says where: file, line and column, or row, counted from 1, as far as known. */
export class MalformedInputError extends KintsugiError {
  readonly code = 'MALFORMED_INPUT';
  override readonly recovery = 'never';
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** For a format without lines. */
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
 * A connector cannot access a file: it is missing or access was refused. Names the file. A restart may help, unless
 * `recovery` is `never`.
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

/** How an input differs from its state at the start of the run. */
export type InputChange = 'shorter' | 'beginning differs' | 'end differs' | 'written to' | 'last line continued';

/**
 * A file has changed since the run began, so the records read may belong to neither the old nor the new content. A
 * restart would read the same new content and cannot help.
 */
export class InputChangedError extends KintsugiError {
  readonly code = 'INPUT_CHANGED';
  override readonly recovery = 'never';
  readonly file: string;
  readonly change: InputChange;
  /** What differs: `its first 64 KiB differ`. */
  readonly details: string;

  constructor(file: string, change: InputChange, details: string) {
    super(
      `${file}: changed since the run began: ${details}. Run the job again, and do not change its input during the run; appending whole lines is allowed`,
    );
    this.file = file;
    this.change = change;
    this.details = details;
  }
}

/** The directory or pattern of a source names no file. */
export class NoInputError extends KintsugiError {
  readonly code = 'NO_INPUT';
  override readonly recovery = 'never';
  /** The directory or pattern, as given. */
  readonly pattern: string;

  constructor(pattern: string, problem: string) {
    super(`${pattern}: ${problem}`);
    this.pattern = pattern;
  }
}

/**
 * Part files of a parallel sink are not one complete result: some are missing, or they come from runs with different
 * parallelism.
 */
export class PartFilesError extends KintsugiError {
  readonly code = 'PART_FILES_INCONSISTENT';
  override readonly recovery = 'never';
  /** The path given to the sink, such as `out/rows.jsonl`. */
  readonly file: string;
  /** For each set found, its number of parts; 1 for `file` itself. */
  readonly sets: readonly number[];

  constructor(file: string, sets: readonly number[], problem: string) {
    super(`${file}: ${problem}`);
    this.file = file;
    this.sets = sets;
  }
}

/** Another sink or run is writing the output of a sink or an exchange. Names it as far as known. */
export class OutputInUseError extends KintsugiError {
  readonly code = 'OUTPUT_IN_USE';
  override readonly recovery = 'never';
  readonly file: string;
  /** The run that writes it; undefined if unknown. */
  readonly holder: RunId | undefined;
  /** The claim's directory, to be deleted if no run uses it. */
  readonly claim: string;
  /** The process of that run; undefined if unknown. */
  readonly owner: ClaimOwner | undefined;

  constructor(
    file: string,
    claim: string,
    problem: string,
    remedy: string,
    by?: { readonly holder: RunId; readonly owner: ClaimOwner },
  ) {
    super(`${file}: ${problem}. ${remedy}`);
    this.file = file;
    this.claim = claim;
    this.holder = by?.holder;
    this.owner = by?.owner;
  }
}

/** The run and process that hold a claim on a path. */
export interface ClaimOwner {
  readonly run: string;
  readonly job: string;
  readonly pid: number;
  readonly host: string;
  /** Whether it is this process. */
  readonly isHere: boolean;
  /** When the claim was taken, in ISO 8601; undefined if unknown. */
  readonly since: string | undefined;
}

/** A source cannot be read again from the start. Says how to build one that can. */
export class SourceNotReplayableError extends KintsugiError {
  readonly code = 'SOURCE_NOT_REPLAYABLE';
  override readonly recovery = 'never';
  readonly source: string;

  constructor(source: string, remedy: string) {
    super(`Source "${source}" cannot be read a second time. ${remedy}`);
    this.source = source;
  }
}

/**
 * A function of a sink asked for the position of a record, but the same position may name another record the next time:
 * as an idempotency key it would lose records.
 */
export class PositionNotStableError extends KintsugiError {
  readonly code = 'POSITION_NOT_STABLE';
  override readonly recovery = 'never';
  readonly sink: string;
  /** What changes the order: `the channels of "send" are read in the order of arrival`. */
  readonly why: string;

  constructor(sink: string, why: string) {
    super(`Records of "${sink}" have no stable position: ${why}. Make the key from the record itself`);
    this.sink = sink;
    this.why = why;
  }
}

/** A push source emitted records faster than the job read them, and its buffer is full. */
export class BufferOverflowError extends KintsugiError {
  readonly code = 'BUFFER_OVERFLOW';
  readonly source: string;
  /** Capacity of the buffer, in records. */
  readonly capacity: number;
  /** Records received so far, including the one that did not fit. */
  readonly receivedCount: number;

  constructor(source: string, capacity: number, receivedCount: number) {
    super(
      `Source "${source}": record ${receivedCount} does not fit, ${capacity} are already waiting. Raise \`capacity\`, or allow the loss of records with \`overflow\``,
    );
    this.source = source;
    this.capacity = capacity;
    this.receivedCount = receivedCount;
  }
}

/** Records of a topic of Kafka were deleted before they were read, as its retention says; or the log was cut off. */
export class KafkaRecordsGoneError extends KintsugiError {
  readonly code = 'KAFKA_RECORDS_GONE';
  override readonly recovery = 'never';
  readonly topic: string;
  readonly partition: number;
  /** The offset that was to be read. */
  readonly offset: number;
  /** The offsets that are there, from `start` to before `end`. */
  readonly kept: { readonly start: number; readonly end: number };

  constructor(
    topic: string,
    partition: number,
    offset: number,
    kept: { readonly start: number; readonly end: number },
  ) {
    super(
      `Kafka topic ${topic}, partition ${partition}: offset ${offset} is not there, only ${kept.start} to ${kept.end - 1}. ` +
        'Raise the retention of the topic (`retention.ms`, `retention.bytes`), and begin the job anew',
    );
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.kept = kept;
  }
}
