import { enqueueActions } from 'xstate';
import { coLocationGroups, type JobVertex } from '../../graph/job-graph.ts';
import { regionsWithoutCoLocation } from '../../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { type ChartServices, chartServicesOf } from '../chart-services.ts';
import { createRegions } from '../region/create-regions.ts';
import type { JobLedger } from './job-ledger.ts';
import type { MasterActions } from './job-master-machine.ts';
import { recoveryActions } from './recovery-actions.ts';
import { requestActions } from './request-actions.ts';
import { resultActions } from './result-actions.ts';
import { schedulingActions } from './scheduling-actions.ts';
import { speculationActions } from './speculation-actions.ts';
import { type RegionTeller, tellEveryRegion } from './tell-regions.ts';

const servicesOf = chartServicesOf<
  | 'ledger'
  | 'environment'
  | 'gateway'
  | 'observe'
  | 'actors'
  | 'charts'
  | 'failovers'
  | 'slotRequestTimeoutMs'
  | 'cancellationTimeoutMs'
>;

/** None of them waits for slots any more, so that no slot goes to one that has ended. */
function endRegions(type: 'region.cancel' | 'region.suspend', ledger: JobLedger, enqueue: RegionTeller): void {
  ledger.slots.cancelRequests();
  tellEveryRegion(ledger, enqueue, { type });
}

/** Co-location is no reason to restart tasks that users know: the run says so once, if it is one. */
function reportCoLocation({
  ledger: { graph, regions },
  environment,
  observe,
}: Pick<ChartServices, 'ledger' | 'environment' | 'observe'>): void {
  const groups = [...coLocationGroups(graph.jobGraph)].map(([name, members]) => ({
    name,
    vertices: members.map((member) => (graph.jobGraph.vertices[member] as JobVertex).id),
  }));
  if (groups.length === 0) return;
  const [regionCount, regionCountApart] = [regions.count, regionsWithoutCoLocation(graph).count];
  if (regionCount === regionCountApart) return;
  observe({ type: 'regions.coLocated', atMs: environment.clock.now(), groups, regionCount, regionCountApart });
}

/** Implements the actions that the job master chart names. */
export const masterActions: MasterActions = {
  ...schedulingActions,
  ...recoveryActions,
  ...requestActions,
  ...resultActions,
  ...speculationActions,
  recordState: ({ system }, { state: status }) => {
    const { observe, environment } = servicesOf(system);
    observe({ type: 'job.statusChanged', atMs: environment.clock.now(), status });
  },
  createRegions: enqueueActions(({ self, system }) => {
    createRegions(servicesOf(system), self);
    reportCoLocation(servicesOf(system));
  }),
  cancelRegions: enqueueActions(({ enqueue, system }) =>
    endRegions('region.cancel', servicesOf(system).ledger, enqueue),
  ),
  suspendRegions: enqueueActions(({ enqueue, system }) =>
    endRegions('region.suspend', servicesOf(system).ledger, enqueue),
  ),
  // Sends to the chart of the executor, which XState permits in an enqueuer only.
  abandonHangingTasks: enqueueActions(({ system }, { vertices }: { vertices: readonly ExecutionVertexId[] }) => {
    const { ledger, gateway, cancellationTimeoutMs } = servicesOf(system);
    for (const [executor, tasks] of ledger.attempts.hangingOf(vertices)) {
      const within = `within ${cancellationTimeoutMs} ms of being canceled`;
      gateway.declareLost(executor, `${tasks.join(', ')} did not end ${within}`);
    }
  }),
};
