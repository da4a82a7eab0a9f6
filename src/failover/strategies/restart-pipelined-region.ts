import { IllegalStateError } from '../../errors/usage-errors.ts';
import { checkNoArguments } from '../../options.ts';
import { affectedRegions } from '../affected-regions.ts';
import type { FailoverRule } from '../failover-strategy.ts';
import { restartAll } from './restart-all.ts';
import { smallestRestartRule } from './smallest-restart.ts';

/**
 * Restarts the region of the failed task, the producers of results it cannot read again, and all consumers of results
 * that a second run may change. The default. (Flink: `region`.)
 */
export function restartPipelinedRegion(...given: readonly never[]): FailoverRule {
  checkNoArguments('restartPipelinedRegion', given);
  return smallestRestartRule(
    (failure, topology) => {
      if (failure.vertex === undefined) return restartAll()(failure, topology);
      const failed = topology.regions.regionOf(failure.vertex);
      if (failed === undefined) throw new IllegalStateError(`There is no task ${failure.vertex} in this job`);
      return {
        kind: 'restart',
        regions: [...affectedRegions([failed], topology, new Set(failure.lostPartitions)).keys()],
      };
    },
    { saysWhy: false },
  );
}
