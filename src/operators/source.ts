import type { noRecord } from '../partitions/loop-ends.ts';
import type { ConnectorDefinition } from './identity/step-declaration.ts';
import type { ErrorHandling } from './rejected/on-error.ts';
import type { RuntimeContext } from './runtime-context.ts';

/**
 * Reads the share of one subtask, one batch per request. It never reads ahead, except to buffer one unit of its format,
 * such as a block of a file.
 */
export interface SourceReader<Out> {
  /**
   * The next batch of at most `maxRecords`; `null` at the end; a promise of either if it has to wait. An empty batch is
   * allowed. Not called again before a returned promise settles.
   */
  read(maxRecords: number): readonly Out[] | null | PromiseLike<readonly Out[] | null>;
  /**
   * The next record, if there is one without waiting; otherwise `noRecord`, and `read` says whether it has to wait or is
   * at its end. Optional: the task takes records from it one by one, in any mixture with `read`, where that saves the
   * array. A failed call is the last.
   */
  next?(): Out | typeof noRecord;
  /**
   * The origin of a record: `flights.jsonl:18`. Called after a failure at the record, or for a dead letter while the
   * task runs, before `close`. `record` is its number among the records that this reader has read, from 0. undefined if unknown.
   */
  locate?(record: number): string | undefined | Promise<string | undefined>;
  /**
   * The place of the next record, as plain data: a reader that is opened at it continues with the same records. Called
   * before each read and between calls of `next`, so it should cost little; never while a promise of `read` is pending. A reader that cannot tell
   * leaves it out: its task then has no state to be restored from.
   */
  position?(): unknown;
  /** Frees resources. Called once, also after an error; a pending promise of `read` should settle soon. */
  close(): void | PromiseLike<unknown>;
}

/** The context of a source's `plan`: everything but subtask and attempt. */
export type SourcePlanContext = Pick<RuntimeContext, 'job' | 'vertex' | 'parallelism' | 'signal' | 'environment'>;

/** The place that a source reads, if it can be compared with sinks' targets. */
export interface SourceOrigin {
  readonly kind: 'files';
  /** Files, directories (read completely) and patterns, as given. */
  readonly paths: readonly string[];
}

/**
 * An origin of records. A restarted task opens a new reader and must get the same share again, unless the source is not
 * `replayable`: the split is a pure function of subtask, parallelism, the plan, and immutable data.
 *
 * The outside may change. A source that depends on it (which files exist, how long they are) examines it in `plan`,
 * once per run, so that subtasks and attempts cannot disagree.
 */
export interface Source<Out, Plan = unknown> {
  /** Name of the origin, for messages: `flights.parquet`. */
  readonly name: string;
  /** A job with a sink that writes this origin is refused. */
  readonly origin?: SourceOrigin | undefined;
  /**
   * What decides about its records, beside the outside world. Without it, the source cannot be compared with that of an
   * earlier run, unless the user gives it a `version`.
   */
  readonly definition?: ConnectorDefinition | undefined;
  /** Maximum parallelism; 1 if its format or origin cannot be split. */
  readonly maxParallelism: number;
  /** Why it cannot be split further, for the error message; e.g. `an async iterable has one reader`. */
  readonly splitLimit?: string | undefined;
  /** Whether opening it again yields the same records in the same order. Default false. */
  readonly deterministic?: boolean | undefined;
  /**
   * Whether opening it again yields the share from the start. False for live data: a restarted subtask continues from
   * the present, and earlier records are lost, read or not. `explain`, the event `source.reopened` and the receipt
   * report this. Such a source cannot be `deterministic`. Default true.
   */
  readonly replayable?: boolean | undefined;
  /**
   * What happens to input of which no record can be made. undefined: reading fails.
   * @internal Of sources of rows, whose readers ask `context.reject`.
   */
  readonly errors?: ErrorHandling | undefined;
  /**
   * Examines the origin before any subtask opens it, once per run for all subtasks and attempts. The plan is plain data
   * that `structuredClone` can copy, as it may travel to another thread or process. If it fails, the waiting tasks fail
   * with its error, and a later attempt plans again. The signal is aborted when no task waits for the plan.
   */
  plan?(context: SourcePlanContext): Plan | PromiseLike<Plan>;
  /**
   * Whether what an earlier process recorded in `plan` can still be read as it was: undefined if so, otherwise what
   * changed, as in `orders.csv: its first 64 KiB differ`. Default: it can if a plan made now is equal.
   */
  changedSince?(plan: Plan, context: SourcePlanContext): PromiseLike<string | undefined>;
  /**
   * How the origin differs between two plans that are not equal, as in `3 files were appended to`; undefined if they
   * mean the same. Default: that something changed.
   */
  describeChange?(before: Plan, now: Plan): string | undefined;
  /**
   * The positions with which another number of subtasks continues, from those of all subtasks in a savepoint: together they
   * read the same rest, each record once. Without it, the source continues at the parallelism of the savepoint alone.
   * @param plan the plan by which the positions were reached; undefined if there was none
   */
  redistribute?(positions: readonly unknown[], parallelism: number, plan: Plan | undefined): readonly unknown[];
  /**
   * Opens the share of one subtask. `plan` is the result of `plan`, copied and frozen. A run always passes it; opened
   * without it, a source plans by itself.
   * @param from the `position` of another reader of the same share; undefined: from the start
   * @throws SourceNotReplayableError if it was opened before and its data is gone
   */
  open(context: RuntimeContext, plan?: Plan, from?: unknown): SourceReader<Out> | PromiseLike<SourceReader<Out>>;
}
