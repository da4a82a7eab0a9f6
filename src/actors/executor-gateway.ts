import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../ids.ts';
import type { KeepingToMasterEvent } from './chart-events.ts';
import type { FoundResult, PartitionRegistration, TaskDeployment } from './protocol/deployment.ts';

/** A result that will be written on an executor. */
export interface PlacedRegistration {
  readonly executor: ExecutorId;
  readonly registration: PartitionRegistration;
}

/** What was found of results that were looked at. */
export interface VerifiedResults {
  /** Those that cannot be read, and why. */
  readonly lost: readonly { readonly id: ResultPartitionId; readonly cause: Error }[];
  readonly found: readonly FoundResult[];
}

/**
 * What the job master's charts ask of the executors. Answers come later, by `done`; what tasks report comes to the
 * execution actor of the attempt that it names.
 */
export interface ExecutorGateway {
  /** How many slots there will be at the most, lost executors replaced; Infinity where that is not known. */
  readonly slotLimit: number;
  deploy(executor: ExecutorId, deployment: TaskDeployment): void;
  /** Cancels an attempt. */
  cancel(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void;
  /**
   * Prepares what tasks will write where they will run, all or nothing. Calls `done` once, with what failed if something
   * did.
   */
  registerPartitions(
    partitions: readonly PlacedRegistration[],
    done: (failed?: { readonly producer: ExecutionVertexId; readonly cause: Error }) => void,
  ): void;
  /** Looks whether results can still be read. Calls `done` once, with what was found of them. */
  verifyResults(ids: readonly ResultPartitionId[], done: (verified: VerifiedResults) => void): void;
  /** A result turned out to be lost: no consumer is to start reading it. Unknown ones are ignored. */
  losePartition(id: ResultPartitionId, cause: Error): void;
  /**
   * Releases results that no consumer needs; unknown ones are ignored. Those in `traced` leave a trace: what their producers
   * write again is compared with it.
   */
  releasePartitions(ids: readonly ResultPartitionId[], traced?: readonly ResultPartitionId[]): void;
  /** Every consumer has read these results: an executor that needs room may release them, as above. */
  allowReclaim(ids: readonly ResultPartitionId[], traced: readonly ResultPartitionId[]): void;
  /** These results are read again. */
  forbidReclaim(ids: readonly ResultPartitionId[]): void;
  /**
   * Keeps what is to be kept beyond the job, every task of which has finished: all of it or nothing. Calls `done` once, with
   * what became of it.
   */
  keepResults(done: (outcome: KeepingToMasterEvent) => void): void;
  /** Declares an executor unusable because a task on it does not end. */
  declareLost(executor: ExecutorId, why: string): void;
}
