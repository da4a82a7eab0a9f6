import type { PartitionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import type { PipelinedRegions } from './pipelined-region.ts';

/**
 * What failover rules and strategies see of a running job: its structure, and which results can still be read.
 * A live view: ask it, do not keep what it answered.
 */
export interface Topology {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  /**
   * Whether the present result of a partition is complete and can be read again.
   * (Flink: `ResultPartitionAvailabilityChecker`.)
   */
  isPartitionAvailable(partition: PartitionId): boolean;
}
