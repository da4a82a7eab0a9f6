import type { BatchLimits } from '../partitions/batch-cutter.ts';
import type { Batch } from '../partitions/stream-element.ts';

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
  /** Ends it early: calls under way are told to abort, what they still answer is dropped. Safe to call twice. */
  close(): void;
}

/** What a stage gets of the task that runs it. The limits are those of its results, where it can choose. */
export interface StageContext extends BatchLimits {
  /** A stage whose `isAccepting`, `poll` or `isDone` changed by itself (a call answered, a timer fired) calls this. */
  readonly wake: () => void;
}
