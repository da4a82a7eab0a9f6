import type { AttemptNumber, ExecutionVertexId, ExecutorId, PartitionId, ResultPartitionId } from '../ids.ts';

/**
 * Messages between the job master and the task executors: plain data by direction, so that an executor may live in
 * this process, in a worker or on another machine. Whatever comes up names the attempt it speaks of.
 */

/** One attempt of one task, as an executor needs it. */
export interface TaskDeployment {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  /** The job vertex whose program runs, and which of its subtasks. */
  readonly jobVertex: number;
  readonly subtask: number;
  readonly parallelism: number;
  /** Per incoming edge: the partitions to read, as produced by these attempts, and which subpartition of each is ours. */
  readonly inputs: readonly {
    readonly edge: number;
    readonly partitions: readonly ResultPartitionId[];
    readonly subpartitions: readonly number[];
  }[];
  /** Per outgoing edge: the partition to write, registered before. */
  readonly outputs: readonly { readonly edge: number; readonly partition: ResultPartitionId }[];
}

/** A partition that a task will write. */
export interface PartitionRegistration {
  readonly id: ResultPartitionId;
  readonly edge: number;
  readonly producer: ExecutionVertexId;
  readonly subpartitionCount: number;
}

export type MasterToExecutorMessage =
  | {
      readonly type: 'partition.register';
      readonly partitions: readonly PartitionRegistration[];
      readonly token: number;
    }
  | { readonly type: 'partition.release'; readonly ids: readonly ResultPartitionId[] }
  | { readonly type: 'task.deploy'; readonly deployment: TaskDeployment }
  | { readonly type: 'task.cancel'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber };

/** What a task reports of itself. A cause has been made an `Error` where the task runs. */
export type TaskReport =
  | { readonly type: 'task.initializing'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | { readonly type: 'task.running'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | {
      readonly type: 'task.finished';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly statistics: TaskStatistics;
    }
  | { readonly type: 'task.canceled'; readonly vertex: ExecutionVertexId; readonly attempt: AttemptNumber }
  | {
      readonly type: 'task.failed';
      readonly vertex: ExecutionVertexId;
      readonly attempt: AttemptNumber;
      readonly cause: Error;
    };

/** What an attempt moved. */
export interface TaskStatistics {
  readonly recordsIn: number;
  readonly recordsOut: number;
}

export type ExecutorToMasterMessage =
  | TaskReport
  | { readonly type: 'executor.registered'; readonly executor: ExecutorId; readonly slots: number }
  | { readonly type: 'executor.lost'; readonly executor: ExecutorId; readonly cause: Error }
  | { readonly type: 'partitions.registered'; readonly executor: ExecutorId; readonly token: number }
  | {
      readonly type: 'partitions.registrationFailed';
      readonly executor: ExecutorId;
      readonly token: number;
      readonly producer: ExecutionVertexId;
      readonly cause: Error;
    }
  /** A complete result became unreadable, found while nobody was reading it. */
  | { readonly type: 'partition.lost'; readonly id: ResultPartitionId; readonly cause: Error };

/** What a partition that outlives its producer holds, for the receipt. */
export interface PartitionSummary {
  readonly partition: PartitionId;
  readonly records: number;
  readonly bytes: number;
}
