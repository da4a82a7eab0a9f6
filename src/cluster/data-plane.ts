import type { PartitionRegistration, TaskDeployment, TaskStatistics } from '../actors/protocol.ts';
import type { RunningTask } from '../actors/task-actor.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { ResultPartition } from '../partitions/result-partition.ts';

/** What a task needs of the place it runs in, and what it reports to it; each report comes on a stack of its own. */
export interface TaskSurroundings {
  /** A registered partition; undefined once it was given up. */
  readonly partition: (id: ResultPartitionId) => ResultPartition | undefined;
  /** Settles when a partition is registered; rejects when the signal is aborted before. */
  readonly registered: (id: ResultPartitionId, signal: AbortSignal) => Promise<void>;
  readonly initializing: () => void;
  readonly running: () => void;
  readonly finished: (statistics: TaskStatistics) => void;
  readonly failed: (cause: Error, statistics: TaskStatistics) => void;
  readonly canceled: (statistics: TaskStatistics) => void;
}

/** Makes partitions and tasks. */
export interface DataPlane {
  /** @param truncated hears that the beginning of the result was given up while it is still read */
  createPartition(registration: PartitionRegistration, truncated: () => void): ResultPartition;
  createTask(deployment: TaskDeployment, surroundings: TaskSurroundings): RunningTask;
  dispose(): Promise<void>;
}
