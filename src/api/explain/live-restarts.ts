import type { RegionId } from '../../ids.ts';
import type { JobRun } from '../../run/job-run.ts';
import { insideOf } from '../../run/run-inside.ts';
import { AssumedFailures } from './assumed-failures.ts';
import type { RestartScope } from './restart-scope.ts';

const asksMachine =
  'the smallest sound restart, because the strategy is a machine, which is asked about real failures only';

/**
 * What would restart if a task of a run failed now: by its failover rule, its results as they are, and what runs. If
 * its strategy is a machine, the smallest sound restart.
 *
 * @param name a task (`map-1[2]`), or a vertex or operator for all its tasks at once
 * @throws InvalidArgumentError for an unknown name.
 */
export function whatRestartsNow(run: JobRun, name: string): RestartScope {
  const { plan, recovery, failoverRule, regionStateOf } = insideOf(run);
  const present = {
    why: failoverRule === 'machine' ? asksMachine : undefined,
    attemptOf: recovery.attemptOf.bind(recovery),
    // One whose inputs are not there yet has not been scheduled.
    isWaiting: (region: RegionId) => recovery.isWaiting(region) || regionStateOf(region) === 'created',
  };
  const rule = typeof failoverRule === 'function' ? failoverRule : undefined;
  return new AssumedFailures(plan, recovery, rule, present).whatRestarts(name);
}
