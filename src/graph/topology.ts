import type { PartitionId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import type { PipelinedRegions } from './pipelined-region.ts';
import type { Reproducibility } from './reproducibility.ts';

/**
 * A running job as failover rules and strategies see it: its structure, and which results are readable. A live view:
 * ask again instead of storing its answers.
 */
export interface Topology {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  /**
   * Whether the result of the partition's current attempt is complete or still being produced; false once it is lost. A
   * restarted consumer waits for a running producer instead of restarting it. (Flink:
   * `ResultPartitionAvailabilityChecker`.)
   */
  isPartitionAvailable(partition: PartitionId): boolean;
  /** Whether a restarted region reproduces its results, so that its consumers need not restart with it. */
  reproducibilityOf(region: RegionId): Reproducibility;
}
