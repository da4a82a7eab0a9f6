import type { RuntimeContext } from './runtime-context.ts';

/**
 * Reads the share of one subtask. A reader is asked for one batch at a time and never reads ahead of what was asked
 * (it may buffer one unit of its format, e.g. a block of a file).
 */
export interface SourceReader<Out> {
  /**
   * The next batch, at most `maxRecords` long; `null` at the end; a promise of either when it has to wait. An empty
   * batch is allowed. Not called again before a returned promise settled.
   */
  read(maxRecords: number): readonly Out[] | null | Promise<readonly Out[] | null>;
  /** Frees what it holds. Called once, also after an error; a promise that is pending in `read` should settle soon. */
  close(): void | Promise<void>;
}

/**
 * Where records come from. A restarted task opens a new reader and must get the same share again, so the split by
 * subtask is a pure function of (subtask, parallelism) and of data that does not change.
 */
export interface Source<Out> {
  /** What it reads, for messages: `flights.parquet`. */
  readonly name: string;
  /** The most subtasks it can be split for; 1 when its format or origin cannot be split. */
  readonly maxParallelism: number;
  /** Why it cannot be split further, for the error message; e.g. `an async iterable has one reader`. */
  readonly splitLimit?: string;
  /** Whether a subtask that opens it again gets the same records in the same order. Default false. */
  readonly deterministic?: boolean;
  /** @throws SourceNotReplayableError when it was opened before and what it reads is gone. */
  open(context: RuntimeContext): SourceReader<Out> | Promise<SourceReader<Out>>;
}
