import { backoffHandlers } from './backoff.ts';
import { checkpointCoordinatorHandlers } from './checkpoint-coordinator.ts';
import { checkpointRecoveryHandlers } from './checkpoint-recovery.ts';
import { checkpointRuleHandlers } from './checkpoint-rules.ts';
import { sensible } from './checkpoint-words.ts';
import type { Handlers } from './conformance-runner.ts';
import { deploymentHandlers, schedulerFailoverHandlers } from './deployment.ts';
import { endToEndHandlers } from './end-to-end.ts';
import { exchangePropertyHandlers } from './exchange-properties.ts';
import { executionHandlers } from './execution.ts';
import { failureHandlers } from './failure-handler.ts';
import { failoverHandlers } from './failover.ts';
import { heartbeatHandlers } from './heartbeat.ts';
import { jobHandlers } from './job-sequences.ts';
import { partitionReleaseHandlers } from './partition-release.ts';
import { partitionTrackerHandlers } from './partition-tracker.ts';
import { producerLifecycleHandlers } from './producer-lifecycle.ts';
import { regionBuildingHandlers } from './region-building.ts';
import { schedulingHandlers } from './scheduling.ts';
import { slotSharingHandlers } from './slot-sharing.ts';
import { chartHandlers } from './state-charts.ts';
import { versionerHandlers } from './versioner.ts';

/** The handler for each kind of case. Other kinds are skipped by name. */
export const handlers: Handlers = {
  'region-building': regionBuildingHandlers,
  failover: { ...failoverHandlers, ...schedulerFailoverHandlers, ...endToEndHandlers },
  backoff: backoffHandlers,
  'failure-handler': failureHandlers,
  'partition-release': {
    ...partitionReleaseHandlers,
    ...partitionTrackerHandlers,
    ...producerLifecycleHandlers,
    ...exchangePropertyHandlers,
  },
  checkpoint: Object.fromEntries(
    Object.entries({
      ...checkpointRuleHandlers,
      ...checkpointCoordinatorHandlers,
      ...checkpointRecoveryHandlers,
    }).map(([kind, handler]) => [kind, sensible(handler)]),
  ),
  heartbeat: heartbeatHandlers,
  scheduling: { ...schedulingHandlers, ...slotSharingHandlers, ...deploymentHandlers },
  'state-machine': { ...executionHandlers, ...jobHandlers, ...chartHandlers, ...versionerHandlers },
};
