import type { FirstRejection } from '../operators/rejected/rejections.ts';
import type { FailurePlace } from '../failure-place.ts';
import type {
  KeptResult,
  PartitionRegistration,
  PromotedPartition,
  TaskDeployment,
  TaskStatistics,
} from '../actors/protocol/deployment.ts';
import type { CheckpointStorage } from '../checkpoints/checkpoint-storage.ts';
import type { CheckpointOutcome } from '../operators/task/task-parts.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import type { ResultSource } from '../actors/storage-actor.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { ByteBudget } from '../partitions/byte-budget.ts';
import type { ChannelOrder } from '../partitions/channel-order.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';
import type { ResultPartition, ResumableResult } from '../partitions/result-partition.ts';

/** The environment of a task: access to results, and reports to its executor, each on a separate stack. */
export interface TaskSurroundings {
  /** The result to read; undefined before it is registered and once it is gone. */
  readonly source: (id: ResultPartitionId) => ResultSource | undefined;
  /** The partition to write. */
  readonly output: (id: ResultPartitionId) => ResultPartition | undefined;
  /** Settles when a partition is registered; rejects if the signal is aborted first. */
  readonly registered: (id: ResultPartitionId, signal: AbortSignal) => Promise<void>;
  /** The order in which the task must read its channels, which it extends; undefined for any order. */
  readonly channelOrder: ChannelOrder | undefined;
  /** Called when its source has made the plan for all subtasks. */
  readonly planned: (plan: unknown) => void;
  /** Called for a source or sink that did not close in time and is left open. */
  readonly leftOpen: (what: string) => void;
  /** Called for the first record that an operator rejects. */
  readonly rejected: (rejection: FirstRejection) => void;
  readonly initializing: () => void;
  readonly running: () => void;
  /** Called when its sinks are prepared, if it asks before they commit. */
  readonly prepared: () => void;
  readonly finished: (statistics: TaskStatistics) => void;
  readonly failed: (cause: Error, statistics: TaskStatistics, place: FailurePlace | undefined) => void;
  readonly canceled: (statistics: TaskStatistics) => void;
  /** Called for each checkpoint in which the task takes part, or should. */
  readonly checkpointed: (outcome: CheckpointOutcome) => void;
}

/** The environment of a result in its executor. */
export interface PartitionSurroundings {
  /** Called when the beginning of the result was dropped, after running consumers had read it. */
  readonly truncated: () => void;
  /** Called when the rest of the result is not produced because no consumer needs it. */
  readonly curtailed: () => void;
  /** Reclaims results that no consumer needs now, to free `bytes` of disk space. */
  readonly reclaim: (bytes: number, budget: ByteBudget) => void;
  /** The result of an earlier attempt to take over, and whether its files are lost. */
  readonly previous: { readonly partition: ResumableResult; readonly isLost: boolean } | undefined;
  /** The trace of an earlier attempt's released result. */
  readonly trace: ResultTrace | undefined;
}

/** Creates partitions and tasks. */
export interface DataPlane {
  /** Where the states of tasks are written and read; undefined if they travel in messages. */
  readonly checkpoints?: CheckpointStorage | undefined;
  /**
   * Claims the outputs of the whole run, before any task runs.
   * @throws OutputInUseError if another run writes one of the outputs
   */
  begin?(): void;
  createPartition(registration: PartitionRegistration, surroundings: PartitionSurroundings): ResultPartition;
  createTask(deployment: TaskDeployment, surroundings: TaskSurroundings): RunningTask;
  /** Completes and closes the files of an edge's complete results, to be kept beyond the job, and describes them. */
  promote?(edge: number, results: readonly ResultPartition[]): Promise<readonly PromotedPartition[]>;
  /** Keeps the promoted results of an edge, from all executors, under the name of their directory: all or none. */
  keep?(edge: number, partitions: readonly PromotedPartition[]): Promise<KeptResult | undefined>;
  /** The run ends. Unless the job has finished, the files of results that outlive the process stay from now on. */
  end?(hasFinished: boolean): void;
  dispose(): Promise<void>;
}
