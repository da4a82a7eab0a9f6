import type { FailurePlace } from '../failure-place.ts';
import type {
  KeptResult,
  PartitionRegistration,
  TaskDeployment,
  TaskStatistics,
} from '../actors/protocol/deployment.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import type { PartitionId, ResultPartitionId } from '../ids.ts';
import type { ByteBudget } from '../partitions/byte-budget.ts';
import type { ChannelOrder } from '../partitions/channel-order.ts';
import type { ResultTrace } from '../partitions/result-trace.ts';
import type { ResultPartition, ResumableResult } from '../partitions/result-partition.ts';

/** What a task needs of the place it runs in, and what it reports to it; each report comes on a stack of its own. */
export interface TaskSurroundings {
  /** A registered partition; undefined once it was given up. */
  readonly partition: (id: ResultPartitionId) => ResultPartition | undefined;
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
  /** Hears that the beginning of the result was given up while it is still read. */
  readonly truncated: () => void;
  /** Hears that nobody needed the rest of the result, so that it is not all there. */
  readonly curtailed: () => void;
  /** Gives up results that nobody needs now, to make room for `bytes` of the disk. */
  readonly reclaim: (bytes: number, budget: ByteBudget) => void;
  /** What an earlier attempt left, which is to be taken over, and whether what is in files is lost. */
  readonly previous: { readonly partition: ResumableResult; readonly isLost: boolean } | undefined;
  /** What is left to compare with of an earlier attempt that was complete and given up. */
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
  /** Edges whose results are to be kept beyond the job. */
  readonly keptEdges?: readonly number[];
  /** Keeps the results of such an edge, complete and readable as they are. */
  promote?(edge: number, results: readonly PromotedPartition[]): Promise<KeptResult | undefined>;
  dispose(): Promise<void>;
}

/** A result that is to be kept beyond the job. */
export interface PromotedPartition {
  readonly partition: PartitionId;
  readonly records: number;
}
