import type { WrittenHandle } from '../../operators/state/state-handle.ts';
import type { AttemptNumber, CheckpointId, ExecutionVertexId, ResultPartitionId } from '../../ids.ts';
import type { BarrierAlignment, BarrierKind, SavepointKind } from '../../partitions/stream-element.ts';
import type { PlainError } from '../../plain-error.ts';

export type { BarrierAlignment, SavepointKind };

/** The state of one attempt at a checkpoint: itself, or where it is stored. Plain data. */
export type StateHandle =
  | WrittenHandle
  /** It had finished before: restored, it ends its results at once, at the records with which they begin. */
  | { readonly kind: 'finished' };

/** The state from which an attempt continues. */
export interface RestoredState {
  /** The checkpoint to which the state belongs. */
  readonly checkpoint: CheckpointId;
  readonly state: StateHandle;
}

/** One attempt. */
export interface AttemptOfTask {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
}

/** What is before the barrier of every retained checkpoint: no restore goes back behind it. */
export interface PassedByAll {
  /** The oldest checkpoint that is retained; undefined if none is. */
  readonly oldest: CheckpointId | undefined;
  readonly passed: readonly PassedRecords[];
}

/** The part of a result before the barrier of every retained checkpoint: no restore reads it again. */
export interface PassedRecords {
  readonly result: ResultPartitionId;
  /** By subpartition: the number of records before the barrier. */
  readonly records: readonly number[];
}

/** Where the barrier is in the output of a task over one edge. */
export interface BarrierPlace {
  readonly edge: number;
  /** By subpartition: the number of records before the barrier, since the beginning of the first attempt. */
  readonly records: readonly number[];
}

/** What a task's part of a checkpoint took. */
export interface TaskCheckpointStatistics {
  /** Size of the state, and how much of that an earlier checkpoint had written. */
  readonly bytes: number;
  readonly referencedBytes: number;
  /** From the first barrier that arrived to the last; 0 for a task at which barriers start. */
  readonly alignmentMs: number;
  /** How long the task stood still for the snapshot. */
  readonly snapshotMs: number;
  /** How long the state took to pack and write, while the task went on; 0 for a small one, which travels inline. */
  readonly writeMs: number;
}

/** Commands about checkpoints. */
export type CheckpointCommand =
  /**
   * Barriers start here: the task takes part in the checkpoint between two elements. To each running task of the component
   * without a running producer in it, and to those of whose producers some have finished.
   */
  | ({
      readonly type: 'checkpoint.trigger';
      readonly checkpoint: CheckpointId;
      readonly alignment: BarrierKind;
    } & AttemptOfTask)
  /**
   * The checkpoint is safe: these tasks commit what they prepared for it, results may drop what was passed, and tasks the order of
   * their input before the oldest one.
   */
  | ({
      readonly type: 'checkpoint.completed';
      readonly checkpoint: CheckpointId;
      readonly tasks: readonly AttemptOfTask[];
    } & PassedByAll)
  /** The checkpoint will not complete: these tasks stop waiting for its barriers. */
  | {
      readonly type: 'checkpoint.aborted';
      readonly checkpoint: CheckpointId;
      readonly tasks: readonly AttemptOfTask[];
    };

/** Why a task takes no part in a checkpoint. `async`: the state could not be captured or written, once it was taken. */
export type DeclineReason = 'notRunning' | 'noState' | 'io' | 'async';

/** Reports about checkpoints. */
export type CheckpointReport =
  | ({
      readonly type: 'checkpoint.acknowledged';
      readonly checkpoint: CheckpointId;
      readonly state: StateHandle;
      /** For each outgoing edge that is retained. */
      readonly outputs: readonly BarrierPlace[];
      readonly statistics: TaskCheckpointStatistics;
    } & AttemptOfTask)
  | ({
      readonly type: 'checkpoint.declined';
      readonly checkpoint: CheckpointId;
      readonly reason: DeclineReason;
      readonly cause: PlainError;
    } & AttemptOfTask);
