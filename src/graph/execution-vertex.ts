import type { ExecutionVertexId, PartitionId } from '../ids.ts';
import type { ExchangeType } from './exchange-type.ts';
import type { JobVertex } from './job-graph.ts';

/** An execution vertex as a subtask of its job vertex. */
export interface Subtask {
  readonly jobVertex: JobVertex;
  readonly index: number;
  /** In logs, events and errors: `map[2]`. */
  readonly name: string;
}

/** What an execution vertex reads over one incoming edge: its subpartition of each partition of a group. */
export interface VertexInput {
  readonly edge: number;
  readonly exchange: ExchangeType;
  readonly group: number;
  /** The group's first producer and its partition; the others follow both. */
  readonly firstProducer: ExecutionVertexId;
  readonly firstPartition: PartitionId;
  readonly producerCount: number;
  readonly subpartition: number;
}

/** What an execution vertex writes over one outgoing edge. (Flink: `IntermediateResultPartition`) */
export interface VertexOutput {
  readonly edge: number;
  readonly exchange: ExchangeType;
  readonly group: number;
  readonly partition: PartitionId;
  readonly subpartitionCount: number;
}
