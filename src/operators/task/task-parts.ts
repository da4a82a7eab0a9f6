import type { FailurePlace } from '../../failure-place.ts';
import type { TaskInput, TaskOutput } from '../../partitions/task-io.ts';
import type { CheckpointId } from '../../ids.ts';
import type { TaskState } from '../state/task-state.ts';
import type { CallCounts } from '../answers/answer-memory.ts';
import type { OperatorStage } from '../operator-stage.ts';
import type { CloseLimit } from '../close-all.ts';
import type { CommitGate } from '../sinks/commit-gate.ts';
import type { TaskContext } from './task-context.ts';
import type { Wakeable } from './task-scheduler.ts';
import type { RejectedRecords, Rejections } from '../rejected/rejections.ts';

export interface StreamTaskOptions {
  /** Time limit for closing when it finishes or fails; undefined for none. */
  readonly closeLimit?: CloseLimit;
  /** What its sinks pass before they commit; undefined if they commit at once. */
  readonly commitGate?: CommitGate | undefined;
  readonly context: TaskContext;
  readonly scheduler: Wakeable;
  readonly listener: TaskListener;
  /**
   * Opens input, chain and outputs. Ready parts call `wake`; `blame` gets the uid of one that cannot be opened. On
   * failure it closes the opened parts.
   */
  readonly open: (wake: () => void, blame: (uid: string) => void) => TaskParts | Promise<TaskParts>;
}

/** What a task works with once it was opened. */
export interface TaskParts {
  readonly input: TaskInput;
  readonly chain: OperatorStage;
  /** Where its results go. */
  readonly outputs: readonly TaskOutput[];
  /** The records that it rejects, and the outputs of its dead letters; undefined if every error fails it. */
  readonly rejections?: Pick<Rejections, 'outputs' | 'counts' | 'noteRead'> | undefined;
  /** Whether it continues where it was drained: nothing follows. Default false. */
  readonly isDrained?: boolean;
  /** Names for messages: of its source, of the operators of its chain, and of whatever comes last. */
  readonly uids: {
    readonly source: string | undefined;
    readonly operators: readonly string[];
    readonly last: string;
  };
}

/** Counts of a running attempt so far. */
export interface MovingCounts {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** How long it has waited for room in its outputs: the back pressure of their consumers. */
  readonly waitedMs: number;
}

/** Record counts of an attempt so far. */
export interface TaskCounts {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Whether it finished before the end of its input, because no consumer needed more of its output. */
  readonly isCurtailed: boolean;
  /** Calls of operators that remember their answers; absent if there is none. */
  readonly calls?: CallCounts;
  /** Records that were rejected, by operator; absent if none were. */
  readonly rejected?: readonly RejectedRecords[];
}

/** What became of a task's part in a checkpoint. */
export type CheckpointOutcome =
  | {
      readonly kind: 'taken';
      readonly checkpoint: CheckpointId;
      readonly state: TaskState;
      /** How long its channels took to deliver the barrier, from the first to the last. */
      readonly alignmentMs: number;
      /** How long the task took no input, because its state was captured and its sinks prepared. */
      readonly snapshotMs: number;
    }
  | {
      readonly kind: 'declined';
      readonly checkpoint: CheckpointId;
      /** `notRunning`: it cannot now. `noState`: a part of it cannot at all. */
      readonly reason: 'notRunning' | 'noState';
      readonly cause: Error;
    };

/** The reports of a task: `running` once, then one of the three ends, once. */
export interface TaskListener {
  readonly initializing: () => void;
  readonly running: () => void;
  readonly finished: (counts: TaskCounts) => void;
  /** `place` is where it failed, if known. */
  readonly failed: (cause: Error, counts: TaskCounts, place: FailurePlace | undefined) => void;
  readonly canceled: (counts: TaskCounts) => void;
  /** While it runs, for each checkpoint in which it takes part, or should. Default: nobody asks. */
  readonly checkpointed?: ((outcome: CheckpointOutcome) => void) | undefined;
}
