import type { StorageUse } from '../../../run/storage-use.ts';

/** Counts that no event carries, taken a few times a second while somebody records or watches. */
export interface SampleLine {
  readonly type: 'sample';
  readonly atMs: number;
  /** By index of the job vertex, over all attempts of its subtasks. */
  readonly vertices: readonly VertexSample[];
  readonly storage: readonly StorageUse[];
  /** The results that hold records, the first ones. A picture has them in its latest sample alone. */
  readonly held?: readonly HeldResult[];
  /** The executors that are not lost, the first ones; likewise. */
  readonly executors?: readonly ExecutorSample[];
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** A result that an executor holds. */
export interface HeldResult {
  /** Index of the partition in the execution graph. */
  readonly partition: number;
  readonly records: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly ageMs: number;
}

/** An executor, and what it does. */
export interface ExecutorSample {
  readonly executor: string;
  /** Which of the executors of the run; absent if that is not known any more. */
  readonly incarnation?: number;
  /** A state of the chart of task executors. */
  readonly state: string;
  /** Slots in use; how many there are is told when it registers. */
  readonly usedSlots: number;
  /** How many tasks have a slot there, and the first ones: indexes of execution vertices. */
  readonly taskCount: number;
  readonly tasks: readonly number[];
  /** Time since its last heartbeat; absent without heartbeats. */
  readonly silentMs?: number;
  /** Bytes that its results take. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export interface VertexSample {
  readonly recordsIn: number;
  readonly recordsOut: number;
  /** Share of the time since the last sample, 0–1, in which its running tasks waited for room in an output; mean. */
  readonly backPressure: number;
}
