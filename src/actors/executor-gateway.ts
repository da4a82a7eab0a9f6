import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../ids.ts';
import type { PartitionRegistration, TaskDeployment } from './protocol.ts';

/**
 * The way down from the job master to where tasks run and results lie. Nothing of it answers on the caller's stack but
 * `registerPartitions` and `verifyResults`; what tasks report comes back later, to the execution actor of the attempt it names.
 */
export interface ExecutorGateway {
  deploy(executor: ExecutorId, deployment: TaskDeployment): void;
  /** Cancels an attempt; of one it does not know it takes note, in case its deployment is still on the way. */
  cancel(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void;
  /** Prepares what tasks will write, all or nothing. Calls `done` once, with what failed if something did. */
  registerPartitions(
    partitions: readonly PartitionRegistration[],
    done: (failed?: { readonly producer: ExecutionVertexId; readonly cause: Error }) => void,
  ): void;
  /**
   * Looks whether results are still there to be read, without reading them: files exist and are as long as they were
   * written. Calls `done` once with those that are not, and why.
   */
  verifyResults(
    ids: readonly ResultPartitionId[],
    done: (lost: readonly { readonly id: ResultPartitionId; readonly cause: Error }[]) => void,
  ): void;
  /** A result turned out to be lost: nobody is to start reading it. Unknown ones are ignored. */
  losePartition(id: ResultPartitionId, cause: Error): void;
  /** Gives up results; unknown ones are ignored. */
  releasePartitions(ids: readonly ResultPartitionId[]): void;
  /** Gives up results that everybody has read; what their producers write again is compared with what they wrote. */
  giveUpPartitions(ids: readonly ResultPartitionId[]): void;
  /** Declares an executor unusable because a task on it does not end. */
  declareLost(executor: ExecutorId, why: string): void;
}
