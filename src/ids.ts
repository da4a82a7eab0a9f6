/** A primitive that cannot be confused with another of the same representation. Costs nothing at run time. */
export type Brand<Value, Name extends string> = Value & { readonly __brand: Name };

/** Name of a JobVertex, unique in its job and stable across runs. */
export type JobVertexId = Brand<string, 'JobVertexId'>;

/** Dense index of an ExecutionVertex (one subtask of a JobVertex) in its ExecutionGraph, from 0. */
export type ExecutionVertexId = Brand<number, 'ExecutionVertexId'>;

/** Dense index of a PipelinedRegion, from 0. */
export type RegionId = Brand<number, 'RegionId'>;

/** Dense index of a result partition (one JobEdge × one producing subtask), from 0. */
export type PartitionId = Brand<number, 'PartitionId'>;

/** One attempt to run an ExecutionVertex: 0 for the first, grows by one at each restart. */
export type AttemptNumber = Brand<number, 'AttemptNumber'>;

/** Number of a failover decision; grows by one with each handled failure. A greater one is newer. */
export type FailoverId = Brand<number, 'FailoverId'>;

/** Number of a checkpoint; a greater one is newer. */
export type CheckpointId = Brand<number, 'CheckpointId'>;

/** Dense index of a streaming component, the scope of a checkpoint, from 0. */
export type ComponentId = Brand<number, 'ComponentId'>;

/** Names one run of a job: no other run, of this or another process, has the same. */
export type RunId = Brand<string, 'RunId'>;

/** Name of a TaskExecutor, unique in a run. */
export type ExecutorId = Brand<string, 'ExecutorId'>;

/**
 * A result partition *as produced by one attempt*. Another attempt's output under the same index has a different id.
 */
export interface ResultPartitionId {
  readonly partition: PartitionId;
  readonly attempt: AttemptNumber;
  /** The run it belongs to; undefined if there is only one run. */
  readonly run?: RunId | undefined;
}

/** The id of a new run, drawn from `random`: sixteen hexadecimal digits. */
export function drawRunId(random: { next(): number }): RunId {
  const digits = (): string =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return `${digits()}${digits()}` as RunId;
}

/** `partition#attempt`: the key of a {@link ResultPartitionId} in maps, file names and logs. */
export function resultPartitionKey(id: ResultPartitionId): string {
  return `${id.partition}#${id.attempt}`;
}
