import { checkNoArguments } from '../../options.ts';
import { affectedRegions } from '../affected-regions.ts';
import { failedRegions, type FailoverRule } from '../failover-strategy.ts';
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
      const failed = failedRegions(failure, topology.regions);
      const affected = affectedRegions(failed, topology, new Set(failure.lostPartitions));
      return { kind: 'restart', regions: [...affected.keys()] };
    },
    { saysWhy: false },
  );
}
