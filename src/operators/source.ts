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
  read(maxRecords: number): readonly Out[] | null | PromiseLike<readonly Out[] | null>;
  /**
   * Where a record came from: `flights.jsonl:18`. Asked for when something failed at it, before `close`; `record` is its
   * number among those that were read, from 0. undefined if it cannot be told.
   */
  locate?(record: number): string | undefined | Promise<string | undefined>;
  /** Frees what it holds. Called once, also after an error; a promise that is pending in `read` should settle soon. */
  close(): void | PromiseLike<unknown>;
}

/** What a source knows of the run while it plans: everything but the subtask and the attempt. */
export type SourcePlanContext = Pick<RuntimeContext, 'job' | 'vertex' | 'parallelism' | 'signal' | 'environment'>;

/** What a source reads, where that can be told from what sinks write. */
export interface SourceOrigin {
  readonly kind: 'files';
  /** Files, directories of which everything is read, and patterns, as they were given. */
  readonly paths: readonly string[];
}

/**
 * Where records come from. A restarted task opens a new reader and must get the same share again, unless the source says
 * that it is not `replayable`: the split by subtask is a pure function of (subtask, parallelism), of the plan, and of data
 * that does not change.
 *
 * What is outside may change. A source that has to look at it (which files there are, how long they are) does so in
 * `plan`, once per run, so that subtasks and attempts cannot disagree.
 */
export interface Source<Out, Plan = unknown> {
  /** What it reads, for messages: `flights.parquet`. */
  readonly name: string;
  /** A job whose sinks write what it reads is refused. */
  readonly origin?: SourceOrigin | undefined;
  /** The most subtasks it can be split for; 1 when its format or origin cannot be split. */
  readonly maxParallelism: number;
  /** Why it cannot be split further, for the error message; e.g. `an async iterable has one reader`. */
  readonly splitLimit?: string | undefined;
  /** Whether a subtask that opens it again gets the same records in the same order. Default false. */
  readonly deterministic?: boolean | undefined;
  /**
   * Whether a subtask that opens it again gets its share from the start. False for live data: a restarted subtask gets what
   * comes then, and what came before is lost, read or not. `explain`, the event `source.reopened` and the receipt say so. It
   * cannot be `deterministic` then. Default true.
   */
  readonly replayable?: boolean | undefined;
  /**
   * Looks at what there is to read, before any subtask opens it: once per run, however many subtasks and attempts there
   * are. The plan is plain data that `structuredClone` can copy, as it may travel to another thread or process. When it
   * fails, the tasks that wait for it fail with its error, and a later attempt plans again. The signal is aborted when
   * nobody waits for the plan any more.
   */
  plan?(context: SourcePlanContext): Plan | PromiseLike<Plan>;
  /**
   * Opens the share of one subtask. `plan` is what `plan` answered, copied and frozen. A run always hands it over; a
   * source that others open without it plans by itself.
   * @throws SourceNotReplayableError when it was opened before and what it reads is gone.
   */
  open(context: RuntimeContext, plan?: Plan): SourceReader<Out> | PromiseLike<SourceReader<Out>>;
}
