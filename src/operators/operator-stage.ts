import type { BatchLimits } from '../partitions/records/batch-cutter.ts';
import type { CallLimiterRegistry } from './call-limiter.ts';
import type { Batch } from '../partitions/stream-element.ts';
import type { StageState } from './state/stage-state.ts';
import type { StateSnapshot } from './state/state-snapshot.ts';

/** What a stage was at when it threw. */
export interface Blame {
  /** Index of the operator in the task's chain. */
  readonly operator: number;
  /** The record that was worked on, and its number in the input of the stage, from 0; undefined where it is not known. */
  readonly record?: { readonly value: unknown; readonly number: number | undefined };
  /** The key whose turn it was, where no record was worked on. */
  readonly key?: { readonly value: unknown };
}

/**
 * A stretch of a task's operator chain: takes batches, and gives its results when it is asked for them, so that whoever
 * drives it decides how much is under way. One batch of results waits at the most; then nothing more is accepted.
 */
export interface OperatorStage {
  /** Whether `push` may be called now. */
  readonly isAccepting: boolean;
  /** Takes a batch. @throws what a user's function threw. */
  push(records: Batch): void;
  /** No input follows. Called once; `push` is not called again. */
  end(): void;
  /**
   * The next results; undefined when none wait now. Never empty. More than one call may be needed for the results of
   * one batch, and after `end` (the final results of a million keys come in many batches).
   * @throws what a user's function threw or rejected with.
   */
  poll(): Batch | undefined;
  /** Nothing more will come: the input ended, or is not wanted any more, and every result was polled. */
  readonly isDone: boolean;
  /** What it was at when `push` or `poll` threw; undefined as long as neither did. */
  readonly blame: Blame | undefined;
  /**
   * Number of the input record that its result number `result` came of, both from 0; undefined where that is not known.
   * Only if the context asks for it.
   */
  originOf(result: number): number | undefined;
  /**
   * What it holds: everything that came of what was pushed and is not in what was polled. Between `push` and `poll`, at any
   * time before it is done or fails; changes nothing. Absent, with the reason, if it cannot tell all of it.
   */
  snapshot(): StateSnapshot<StageState>;
  /**
   * Takes what another stage of the same operators held, which then goes on here: calls in flight are made again. Once,
   * before the first `push`.
   * @throws IllegalStateError for the state of other operators
   */
  restore(state: StageState): void;
  /** Ends it early: calls under way are told to abort, what they still answer is dropped. Safe to call twice. */
  close(): void;
}

/** What a stage gets of the task that runs it. The limits are those of its results, where it can choose. */
export interface StageContext extends BatchLimits {
  /** Those of the run. */
  readonly callLimiters: CallLimiterRegistry;
  /** A stage whose `isAccepting`, `poll` or `isDone` changed by itself (a call answered, a timer fired) calls this. */
  readonly wake: () => void;
  /** Index in the task's chain of the stage's first operator. Default 0. */
  readonly firstOperator?: number;
  /** Names of the operators of the task's chain. Default: that of the vertex. */
  readonly uids?: readonly string[];
  /** Whether `originOf` will be asked. Default false. */
  readonly tracksOrigins?: boolean;
  /** Whether records are frozen as they go from one operator to the next. Default false. */
  readonly freezesRecords?: boolean;
  /** Name of the vertex, for stack traces. */
  readonly name?: string;
}
