import type { AttemptNumber, CheckpointId, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../ids.ts';
import type { KeepingToMasterEvent } from './chart-events.ts';
import type { AttemptOfTask, CheckpointCommand, PassedByAll } from './protocol/checkpoint-messages.ts';
import type { FoundResult, PartitionRegistration, TaskDeployment } from './protocol/deployment.ts';

/** A result to be written on an executor. */
export interface PlacedRegistration {
  readonly executor: ExecutorId;
  readonly registration: PartitionRegistration;
}

/** The outcome of verifying results. */
export interface VerifiedResults {
  /** The unreadable results, with the reason. */
  readonly lost: readonly { readonly id: ResultPartitionId; readonly cause: Error }[];
  readonly found: readonly FoundResult[];
}

/**
 * The commands about checkpoints. Those about attempts that are not the current ones have no effect; reports of tasks go
 * to `checkpointReported` of the connections.
 */
export interface CheckpointGateway {
  /** Barriers start at this task. */
  trigger(
    executor: ExecutorId,
    command: Omit<Extract<CheckpointCommand, { type: 'checkpoint.trigger' }>, 'type'>,
  ): void;
  /** The checkpoint is safe: these tasks commit what they prepared for it, and results drop what was passed. */
  completed(checkpoint: CheckpointId, tasks: readonly AttemptOfTask[], passed: PassedByAll): void;
  /** The checkpoint will not complete: these tasks stop waiting for its barriers. */
  aborted(checkpoint: CheckpointId, tasks: readonly AttemptOfTask[]): void;
}

/**
 * The job master's interface to the executors. Answers come asynchronously through `done`; reports of tasks go to the
 * execution actor of their attempt.
 */
export interface ExecutorGateway {
  /** The maximum number of slots, counting replacements of lost executors; Infinity if unknown. */
  readonly slotLimit: number;
  readonly checkpoints: CheckpointGateway;
  deploy(executor: ExecutorId, deployment: TaskDeployment): void;
  /** Cancels an attempt. */
  cancel(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void;
  /** Lets the sinks of an attempt commit. */
  commit(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void;
  /** For fault injection: an attempt fails as if its function had thrown. */
  failTask(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber, cause: Error): void;
  /** For fault injection: an attempt waits before each batch; 0 ends that. */
  slowTask(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber, delayMs: number): void;
  /**
   * Prepares the results of tasks on their executors, all or none. Calls `done` once, with the failure if there is one.
   */
  registerPartitions(
    partitions: readonly PlacedRegistration[],
    done: (failed?: { readonly producer: ExecutionVertexId; readonly cause: Error }) => void,
  ): void;
  /** Verifies that results are still readable. Calls `done` once with the outcome. */
  verifyResults(ids: readonly ResultPartitionId[], done: (verified: VerifiedResults) => void): void;
  /** Marks a result as lost, so that no consumer starts to read it. Unknown results are ignored. */
  losePartition(id: ResultPartitionId, cause: Error): void;
  /**
   * Releases results that no consumer needs; unknown ones are ignored. Results in `traced` leave a trace, with which a
   * second output of their producers is compared.
   */
  releasePartitions(ids: readonly ResultPartitionId[], traced?: readonly ResultPartitionId[]): void;
  /** Every consumer has read these results: an executor that needs space may release them, as above. */
  allowReclaim(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void;
  /** These results are read again: revokes the permission. */
  forbidReclaim(ids: readonly ResultPartitionId[]): void;
  /**
   * Keeps the results that outlive the job, once all its tasks have finished: all of them or none. Calls `done` once
   * with the outcome.
   */
  keepResults(done: (outcome: KeepingToMasterEvent) => void): void;
  /** Quarantines an executor because a task on it does not end. */
  declareLost(executor: ExecutorId, why: string): void;
}
