import type { KeptPartition } from '../../partitions/storage/kept-manifest.ts';
import type { RejectedRecords, RejectionOutcome } from '../../operators/rejected/rejections.ts';
import type { CallCounts } from '../../operators/answers/answer-memory.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ExecutionVertexId,
  ExecutorId,
  JobVertexId,
  ResultPartitionId,
} from '../../ids.ts';
import type { RestoredState } from './checkpoint-messages.ts';

/** One attempt of one task, as an executor needs it. Plain data: the functions are in the executor's registry. */
export interface TaskDeployment {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  /** Display name of the task: `map[2]`. */
  readonly task: string;
  /** The uid of the job vertex whose program runs, and the uids of the operators that the program must have. */
  readonly jobVertex: JobVertexId;
  readonly operators: readonly string[];
  /** Index of the subtask. */
  readonly subtask: number;
  readonly parallelism: number;
  /**
   * The order in which it reads its channels: any; an order that it records (`new`); or the order that its last attempt
   * recorded (`again`), as far as the record goes, so that it reproduces its output.
   */
  readonly channelOrder: 'any' | 'new' | 'again';
  /** Per incoming edge: the partitions to read, as produced by these attempts, and the subpartition to read of each. */
  readonly inputs: readonly {
    readonly edge: number;
    readonly partitions: readonly ResultPartitionId[];
    readonly subpartition: number;
    /**
     * By partition: the executor that has it, or had it and is lost; null if none has yet, which `results.placed` tells
     * later. Absent for executors that share their results.
     */
    readonly executors?: readonly (ExecutorId | null)[];
  }[];
  /** Per outgoing edge: the partition to write, already registered. */
  readonly outputs: readonly { readonly edge: number; readonly partition: ResultPartitionId }[];
  /** The plan of its source, if it was made: in this run, or in an earlier one that this run continues. */
  readonly sourcePlan?: { readonly plan: unknown };
  /**
   * The state from which it continues. It reads its inputs from their records in that state on. Default: it starts from
   * the beginning.
   */
  readonly restore?: RestoredState;
  /**
   * The newest checkpoint of its component that began before it was deployed: barriers up to that one, which retained
   * inputs still have, are of no concern to it. Default: none began.
   */
  readonly checkpointBefore?: CheckpointId;
  /** Names the checkpoints of its component in their storage. Default: it is not checkpointed. */
  readonly checkpointScope?: string;
  /** Whether it asks, with `task.prepared`, before its sinks commit, because a second attempt may run beside it. */
  readonly asksToCommit?: boolean;
  /** The attempt that runs beside it, which is the second one. */
  readonly beside?: AttemptNumber;
}

export type { RejectedRecords, RejectionOutcome };
export type { CallCounts };

/** A partition to be written by a task. */
export interface PartitionRegistration {
  readonly id: ResultPartitionId;
  readonly edge: number;
  readonly producer: ExecutionVertexId;
  readonly subpartitionCount: number;
  /**
   * `new`: written for the first time. `again`: reproduced, taking over the remains of an earlier attempt. `unread`:
   * reproduced, but no consumer will read it. `restored`: complete, from an earlier run. `beside`: written for the first
   * time, by a second attempt, while the first one writes its own.
   */
  readonly origin: 'new' | 'again' | 'unread' | 'restored' | 'beside';
  /**
   * By subpartition: the record with which the attempt begins, as it continues from a checkpoint. Earlier records are in
   * the result if an earlier attempt left them, or nowhere. Default: the first.
   */
  readonly fromRecords?: readonly number[];
  /** Whether the attempt only ends it: the task had finished before the checkpoint from which it continues. */
  readonly isEndOnly?: true;
  /** The files of a restored result. */
  readonly stored?: StoredResult;
  /** Whether it may be reproduced later, so that dropped batches must leave a trace. */
  readonly isReproducible: boolean;
}

/** The record counts of an attempt. */
export interface TaskStatistics {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Whether it finished before the end of its input, because no consumer needed more of its output. */
  readonly isCurtailed: boolean;
  /** Records that were rejected, by operator; absent if none were. */
  readonly rejected?: readonly RejectedRecords[];
  /** Calls of operators that remember their answers; absent if there is none. */
  readonly calls?: CallCounts;
}

/** A complete result of a finished task that a later run can adopt. */
export interface StoredOutput {
  /** Index of the edge. */
  readonly edge: number;
  readonly stored: StoredResult;
}

/** An available result, complete or not, with its size. */
export interface FoundResult {
  readonly id: ResultPartitionId;
  readonly records: number;
  /** Estimated bytes in memory and on disk. */
  readonly bytes: number;
}

export type { StoredResult } from '../../journal/stored-result.ts';

/** One task's part of a result that is kept beyond its job, complete and synced, in files of its executor. */
export interface PromotedPartition extends KeptPartition {
  readonly directory: string;
}

/** The promoted results of one exchange. */
export interface PromotedEdge {
  /** Index of the edge. */
  readonly edge: number;
  readonly partitions: readonly PromotedPartition[];
}

/** The results of one exchange, kept beyond their job until `releaseKeptResult(directory)`. */
export interface KeptResult {
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  /** Read it with `keptResult(directory)`. */
  readonly directory: string;
  readonly records: number;
  readonly bytes: number;
}
