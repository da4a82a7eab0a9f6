import type { TaskRestore } from '../../operators/state/task-state.ts';
import type { AttemptNumber, ExecutionVertexId, JobVertexId, ResultPartitionId } from '../../ids.ts';

/** One attempt of one task, as an executor needs it. Plain data: its functions are in the executor's own registry. */
export interface TaskDeployment {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  /** The task for people: `map[2]`. */
  readonly task: string;
  /** The job vertex whose program runs, by its uid, and the uids of the operators that the program must have. */
  readonly jobVertex: JobVertexId;
  readonly operators: readonly string[];
  /** Which of its subtasks this is. */
  readonly subtask: number;
  readonly parallelism: number;
  /**
   * In which order it takes from its channels: any; one that is recorded (`new`); or the one that its last attempt
   * recorded, as long as there is a record, so that it writes `again` what it wrote.
   */
  readonly channelOrder: 'any' | 'new' | 'again';
  /** Per incoming edge: the partitions to read, as produced by these attempts, and which subpartition of them is ours. */
  readonly inputs: readonly {
    readonly edge: number;
    readonly partitions: readonly ResultPartitionId[];
    readonly subpartition: number;
    /** By partition: the record of the subpartition to begin with. Default: the first. */
    readonly fromRecords?: readonly number[];
  }[];
  /** Per outgoing edge: the partition to write, registered before. */
  readonly outputs: readonly { readonly edge: number; readonly partition: ResultPartitionId }[];
  /** What it goes on from; `fromRecords` of its inputs are those of that state. Default: it starts from the beginning. */
  readonly restore?: TaskRestore;
}

/** A partition that a task will write. */
export interface PartitionRegistration {
  readonly id: ResultPartitionId;
  readonly edge: number;
  readonly producer: ExecutionVertexId;
  readonly subpartitionCount: number;
  /**
   * Whether it is written for the first time, or `again`: then what an earlier attempt left of it is taken over. `unread`:
   * again, but nobody will read it.
   */
  readonly origin: 'new' | 'again' | 'unread';
  /** Whether it may be produced again later, and what is dropped of it must leave a trace to be compared with. */
  readonly isReproducible: boolean;
}

/** What an attempt moved. */
export interface TaskStatistics {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Whether it finished before its input had ended, because nobody needed more of what it produces. */
  readonly isCurtailed: boolean;
}

/** A result that is there, complete or not, and how much there is of it. */
export interface FoundResult {
  readonly id: ResultPartitionId;
  readonly records: number;
  /** In memory and on disk, as estimated. */
  readonly bytes: number;
}

/** What one task wrote of a result that is kept beyond its job. */
export type { KeptPartition } from '../../partitions/storage/kept-manifest.ts';

/** The results of one exchange, which outlive their job until `releaseKeptResult(directory)`. */
export interface KeptResult {
  /** The job vertices at the ends of the exchange. */
  readonly source: string;
  readonly target: string;
  /** Read it with `keptResult(directory)`. */
  readonly directory: string;
  readonly records: number;
  readonly bytes: number;
}
