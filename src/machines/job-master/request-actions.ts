import { enqueueActions } from 'xstate';
import { RestartRequestedError } from '../../errors/job-errors.ts';
import type { ExecutionVertexId } from '../../ids.ts';
import { type ChartServices, chartServicesOf } from '../chart-services.ts';
import type { FailoverParentRef } from '../failover/failover-setup.ts';
import type { MasterActions } from './job-master-machine.ts';
import type { Told } from './job-master-setup.ts';
import { tellRegion } from './tell-regions.ts';

const servicesOf = chartServicesOf<'ledger' | 'gateway' | 'failovers'>;

/** The actions of the job master on requests of the user: restarts, and faults on purpose. */
export const requestActions = {
  restartOnRequest: enqueueActions(({ self, system }, { vertex }: Told<'job.restartTask'>) => {
    restart(vertex, servicesOf(system), self);
  }),
  releaseRegion: enqueueActions(({ self, system }, { region }: Told<'job.releaseRegion'>) => {
    const services = servicesOf(system);
    if (!services.ledger.quarantined.has(region)) return;
    restart(services.ledger.regions.verticesOf(region)[0] as ExecutionVertexId, services, self);
  }),
  skipBackoff: enqueueActions(({ enqueue, system }, { region }: Told<'job.skipBackoff'>) => {
    tellRegion(servicesOf(system).ledger, enqueue, region, { type: 'region.skipBackoff' });
  }),
  failTask: ({ system }, { vertex, cause }) => {
    const { ledger, gateway } = servicesOf(system);
    const executor = ledger.attempts.executorOf(vertex);
    if (executor !== undefined) gateway.failTask(executor, vertex, ledger.attemptOf(vertex), cause);
  },
  slowTask: ({ system }, { vertex, delayMs }) => {
    const { ledger, gateway } = servicesOf(system);
    const executor = ledger.attempts.executorOf(vertex);
    if (executor !== undefined) gateway.slowTask(executor, vertex, ledger.attemptOf(vertex), delayMs);
  },
} satisfies Partial<MasterActions>;

/** Opens a failover that restarts a task, and releases its region if that is quarantined. */
function restart(
  vertex: ExecutionVertexId,
  { ledger, failovers }: Pick<ChartServices, 'ledger' | 'failovers'>,
  master: FailoverParentRef,
): void {
  ledger.beginRelease(ledger.regions.regionOf(vertex));
  const cause = new RestartRequestedError(ledger.graph.nameOf(vertex));
  failovers.open({ vertex, attempt: ledger.attemptOf(vertex), cause, isRequested: true }, master);
}
