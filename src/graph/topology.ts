import type { PartitionId, RegionId } from '../ids.ts';
import type { ExecutionGraph } from './execution-graph.ts';
import type { PipelinedRegions } from './pipelined-region.ts';
import type { Reproducibility } from './reproducibility.ts';

/**
 * What failover rules and strategies see of a running job: its structure, and which results can still be read.
 * A live view: ask it, do not keep what it answered.
 */
export interface Topology {
  readonly graph: ExecutionGraph;
  readonly regions: PipelinedRegions;
  /**
   * Whether the result of a partition's present attempt is complete or still to come; false once it was lost. A consumer
   * that restarts need not drag along a producer that is at work: it waits for it.
   * (Flink: `ResultPartitionAvailabilityChecker`.)
   */
  isPartitionAvailable(partition: PartitionId): boolean;
  /** Whether a restarted region reproduces its results, so that its consumers need not restart with it. */
  reproducibilityOf(region: RegionId): Reproducibility;
}
