import type { AttemptNumber, ExecutionVertexId, ExecutorId, ResultPartitionId } from '../ids.ts';
import type { KeepingToMasterEvent, KeptResult, PartitionRegistration, TaskDeployment } from './protocol.ts';

/**
 * The way down from the job master to where tasks run and results lie. Calls that take a `done` may answer on the caller's
 * stack or later, nothing else answers there: what tasks report comes back later, to the execution actor of the attempt it
 * names.
 */
export interface ExecutorGateway {
  /** How many slots there will be at the most, lost executors replaced; Infinity where that is not known. */
  readonly slotLimit: number;
  deploy(executor: ExecutorId, deployment: TaskDeployment): void;
  /** Cancels an attempt; of one it does not know it takes note, in case its deployment is still on the way. */
  cancel(executor: ExecutorId, vertex: ExecutionVertexId, attempt: AttemptNumber): void;
  /** Prepares what tasks will write, all or nothing. Calls `done` once, with what failed if something did. */
  registerPartitions(
    partitions: readonly PartitionRegistration[],
    done: (failed?: { readonly producer: ExecutionVertexId; readonly cause: Error }) => void,
  ): void;
  /**
   * Looks whether results are still there to be read, without reading their records: files exist, are as long as they were
   * written, and begin with the header they were given. Calls `done` once with those that are not, and why.
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
  /**
   * Keeps what is to be kept beyond the job, every task of which has finished: all of it or nothing. Calls `done` once, with
   * what became of it.
   */
  keepResults(done: (outcome: KeepingToMasterEvent) => void): void;
  /** Gives up again what was kept: the job came to another end meanwhile. */
  releaseKeptResults(kept: readonly KeptResult[]): void;
  /** Declares an executor unusable because a task on it does not end. */
  declareLost(executor: ExecutorId, why: string): void;
}
