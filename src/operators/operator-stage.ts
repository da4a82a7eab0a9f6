import type { CheckpointId } from '../ids.ts';
import type { Clock } from '../environment.ts';
import type { BatchLimits } from '../partitions/records/batch-cutter.ts';
import type { AnswerMemories, CallCounts } from './answers/answer-memory.ts';
import type { CallLimiterRegistry } from './call-limiter.ts';
import type { Batch } from '../partitions/stream-element.ts';
import type { LoopEnds } from '../partitions/loop-ends.ts';
import type { RecordRejections } from './rejected/rejections.ts';
import type { StageState } from './state/stage-state.ts';
import type { StateSnapshot } from './state/state-snapshot.ts';
import type { CreateTable } from './state/state-tables.ts';

/** What a stage was working on when it threw. */
export interface Blame {
  /** Index of the operator in the task's chain, or the end of the task that a loop of the stage reaches itself. */
  readonly operator: number | 'source' | 'output';
  /** uid of the operator behind the output, if a function of it failed. */
  readonly uid?: string | undefined;
  /** The current record, and its number in the input of the stage, from 0; undefined if unknown. */
  readonly record?: { readonly value: unknown; readonly number: number | undefined };
  /** The current key, if the stage was not working on a record. */
  readonly key?: { readonly value: unknown };
}

/** Counts of records that a loop takes from a source, and puts into an output, without a batch between. */
export interface DirectCounts {
  readonly taken: number;
  readonly put: number;
}

/**
 * A section of a task's operator chain. It takes batches and is polled for results, so its driver decides how much is
 * under way. At most one batch of results waits; until it is polled, no input is accepted.
 */
export interface OperatorStage {
  /** Whether `push` may be called now. */
  readonly isAccepting: boolean;
  /** Takes a batch. @throws the error of a user function */
  push(records: Batch): void;
  /**
   * Takes at most `count` records from its head, of which `first` is taken already; returns how many. Called only while
   * it accepts a batch. Absent without a head.
   * @throws the error of a user function, or of the source
   */
  readonly pull?: ((first: unknown, count: number) => number) | undefined;
  /** What it took from the head and put into the tail itself, so far. Absent if everything goes through `push` and `poll`. */
  readonly direct?: DirectCounts | undefined;
  /** No input follows. Called once; `push` is not called again. */
  end(): void;
  /**
   * The next results, never empty; undefined if none wait. The results of one batch may take several calls, and so may
   * those after `end` (a million keys have many batches of final results).
   * @throws the error or rejection of a user function
   */
  poll(): Batch | undefined;
  /** No more results: the input has ended or is no longer needed, and all results were polled. */
  readonly isDone: boolean;
  /** Whether nothing that was pushed is under way. Default: whether it accepts a batch. */
  readonly isIdle?: boolean;
  /** What it was working on when `push` or `poll` threw; undefined until then. */
  readonly blame: Blame | undefined;
  /** Calls of operators that remember their answers; undefined if there is none. */
  readonly calls?: CallCounts | undefined;
  /**
   * Number of the input record that produced result number `result`, both from 0; undefined if unknown. Only with
   * `tracksOrigins`.
   */
  originOf(result: number): number | undefined;
  /**
   * The state of the stage: everything that was pushed and is not yet in polled results. May be called at any time
   * before the stage is done or fails, outside `push` and `poll`; changes nothing. Absent, with the reason, if the
   * stage cannot capture all of its state.
   *
   * @param checkpoint the one for which keyed states are set aside in no time, to be written later (`writeState`) or
   *   released (`releaseTables`); default: everything is packed now
   * @param isDrained the stage is done, and is asked for the state in which it would take further records: what it
   *   handed on at the end is not in it; keyed states that the end did not touch are. Default false
   */
  snapshot(checkpoint?: CheckpointId, isDrained?: boolean): StateSnapshot<StageState>;
  /** Nothing is under way: hands on, as results, what it holds only until the end of its input. Default: nothing. */
  handOn?(): void;
  /** A checkpoint for which it was asked for its state is complete, or never will be. */
  endCheckpoint?(checkpoint: CheckpointId, isComplete: boolean): void;
  /**
   * Continues from the state of another stage with the same operators; calls in flight are made again. Called at most
   * once, before the first `push`.
   * @throws IllegalStateError for the state of other operators
   */
  restore(state: StageState): void;
  /** Ends the stage early: calls under way are aborted and their answers ignored. Idempotent. */
  close(): void;
}

/** What stages need of a clock. */
export type StageClock = Pick<Clock, 'now' | 'epochMs' | 'setTimeout' | 'clearTimeout'>;

/** The context that a task gives its stages. The limits are for batches of results. */
export interface StageContext extends BatchLimits {
  /** The call limiters of the run. */
  readonly callLimiters: CallLimiterRegistry;
  /** What operators remember. Default: no operator does. */
  readonly answers?: AnswerMemories | undefined;
  /**
   * Called by a stage when `isAccepting`, `poll` or `isDone` changed on its own (a call was answered, a timer fired).
   */
  readonly wake: () => void;
  /** Index in the task's chain of the stage's first operator. Default 0. */
  readonly firstOperator?: number;
  /** Names of the operators in the task's chain. Default: the name of the vertex. */
  readonly uids?: readonly string[];
  /** Decides about records at which a function fails. Default: the stage fails. */
  readonly rejections?: RecordRejections | undefined;
  /** Whether `originOf` will be called. Default false. */
  readonly tracksOrigins?: boolean;
  /** Whether records are frozen between operators. Default false. */
  readonly freezesRecords?: boolean;
  /** Times the loops of a stage, which then adapt. Default: none do. */
  readonly clock?: StageClock;
  /** Name of the vertex, for stack traces. */
  readonly name?: string;
  /** Loops whose code is the same share what V8 learns about it only if this is the same too. Default: they do. */
  readonly feedback?: string;
  /** Default: states by key are in memory. */
  readonly createTable?: CreateTable | undefined;
  /** The ends of the task, for a stage whose loop may reach them. Not with `rejections`. Default: none. */
  readonly ends?: LoopEnds | undefined;
}
