import { enqueueActions } from 'xstate';
import type { ExecutionVertexId } from '../../ids.ts';
import { provideExecution } from '../execution/execution-actions.ts';
import { OpenFailovers } from '../failover/open-failovers.ts';
import type { JobServices } from '../job-services.ts';
import { createRegions } from '../region/create-regions.ts';
import { provideRegion } from '../region/region-actions.ts';
import { type JobMasterActorRef, jobMasterMachine } from './job-master-machine.ts';
import { recoveryActions } from './recovery-actions.ts';
import { requestActions } from './request-actions.ts';
import { resultActions } from './result-actions.ts';
import { schedulingActions } from './scheduling-actions.ts';
import { tellEveryRegion } from './tell-regions.ts';

/** Creates the job master of a job, with all implementations that its chart names. Start it and send it `job.start`. */
export function createJobMaster(services: JobServices): JobMasterActorRef {
  const { ledger, environment, gateway, observe, actors, cancellationTimeoutMs } = services;
  const region = provideRegion(services);
  const failovers = new OpenFailovers(services);
  const execution = provideExecution(services, () => master);
  const master: JobMasterActorRef = actors.create(
    jobMasterMachine.provide({
      actions: {
        ...schedulingActions(services),
        ...recoveryActions(services, failovers),
        ...requestActions(services, failovers),
        ...resultActions(services),
        recordState: (_, { state: status }) => {
          observe({ type: 'job.statusChanged', atMs: environment.clock.now(), status });
        },
        createRegions: enqueueActions(({ self }) => createRegions({ ...services, region, execution }, self)),
        cancelRegions: enqueueActions(({ enqueue }) => tellEveryRegion(ledger, enqueue, { type: 'region.cancel' })),
        suspendRegions: enqueueActions(({ enqueue }) => tellEveryRegion(ledger, enqueue, { type: 'region.suspend' })),
        // Sends to the chart of the executor, which XState permits in an enqueuer only.
        abandonHangingTasks: enqueueActions((_, { vertices }: { vertices: readonly ExecutionVertexId[] }) => {
          for (const [executor, tasks] of ledger.attempts.hangingOf(vertices)) {
            const within = `within ${cancellationTimeoutMs} ms of being canceled`;
            gateway.declareLost(executor, `${tasks.join(', ')} did not end ${within}`);
          }
        }),
      },
    }),
    'master',
    { regionCount: ledger.regions.count, keepsResults: ledger.results.keptEdges.length > 0 },
  );
  return master;
}
