import type { FailurePlace } from '../failure-place.ts';
import type {
  KeptPartition,
  KeptResult,
  PartitionRegistration,
  TaskDeployment,
  TaskStatistics,
} from '../actors/protocol/deployment.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import type { ResultSource } from '../actors/storage-actor.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { ByteBudget } from '../partitions/byte-budget.ts';
import type { ChannelOrder } from '../partitions/channel-order.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';
import type { ResultPartition, ResumableResult } from '../partitions/result-partition.ts';

/** What a task needs of the place it runs in, and what it reports to it; each report comes on a stack of its own. */
export interface TaskSurroundings {
  /** What the task reads of a result; undefined before it is registered, and once it is gone. */
  readonly source: (id: ResultPartitionId) => ResultSource | undefined;
  /** A partition that the task writes. */
  readonly output: (id: ResultPartitionId) => ResultPartition | undefined;
  /** Settles when a partition is registered; rejects when the signal is aborted before. */
  readonly registered: (id: ResultPartitionId, signal: AbortSignal) => Promise<void>;
  /** The order in which it is to take from its channels, which it continues; undefined: any. */
  readonly channelOrder: ChannelOrder | undefined;
  /** Hears of what did not close in its time and is left behind. */
  readonly leftOpen: (what: string) => void;
  readonly initializing: () => void;
  readonly running: () => void;
  readonly finished: (statistics: TaskStatistics) => void;
  readonly failed: (cause: Error, statistics: TaskStatistics, place: FailurePlace | undefined) => void;
  readonly canceled: (statistics: TaskStatistics) => void;
}

/** What a result needs of the place that holds it. */
export interface PartitionSurroundings {
  /** Hears that the beginning of the result was dropped: running consumers have read it. */
  readonly truncated: () => void;
  /** Hears that no consumer needed the rest of the result, which is not produced. */
  readonly curtailed: () => void;
  /** Releases results that no consumer needs now, to make room for `bytes` of the disk. */
  readonly reclaim: (bytes: number, budget: ByteBudget) => void;
  /** The result of an earlier attempt, which this one takes over, and whether its files are lost. */
  readonly previous: { readonly partition: ResumableResult; readonly isLost: boolean } | undefined;
  /** The trace of an earlier attempt's result, which was released. */
  readonly trace: ResultTrace | undefined;
}

/** Makes partitions and tasks. */
export interface DataPlane {
  /**
   * Takes what the run as a whole needs, before any of its tasks runs.
   * @throws OutputInUseError where another run writes what this one is to write
   */
  begin?(): void;
  createPartition(registration: PartitionRegistration, surroundings: PartitionSurroundings): ResultPartition;
  createTask(deployment: TaskDeployment, surroundings: TaskSurroundings): RunningTask;
  /** Results of an edge that are kept beyond the job, complete as they are: describes the files that they lie in. */
  describe?(edge: number, results: readonly ResultPartition[]): readonly KeptPartition[];
  /** Keeps the results of an edge, those of every executor: under the name of their directory, all of them or none. */
  keep?(edge: number, partitions: readonly KeptPartition[]): Promise<KeptResult | undefined>;
  dispose(): Promise<void>;
}
