import { enqueueActions } from 'xstate';
import type { NoResourceAvailableError } from '../../errors/executor-errors.ts';
import type { ExecutionVertexId, FailoverId, RegionId } from '../../ids.ts';
import { lackOfSlots } from '../../scheduling/lack-of-slots.ts';
import { chartServicesOf } from '../chart-services.ts';
import type { JobLedger } from './job-ledger.ts';
import type { MasterActions } from './job-master-machine.ts';
import type { Told } from './job-master-setup.ts';
import { grantSlots, type RegionTeller, tellRegion } from './tell-regions.ts';

const servicesOf = chartServicesOf<'ledger' | 'environment' | 'gateway' | 'observe'>;

/** The actions of the job master on slots and on the turns of regions. They decide; the chart sends the events. */
export const schedulingActions = {
  startScheduling: enqueueActions(({ enqueue, system }) => {
    const { ledger, gateway } = servicesOf(system);
    const unfit = neverFittingAmong(ledger, gateway.slotLimit, unfinished(ledger));
    if (unfit !== undefined) return enqueue.raise({ type: 'job.globalFailure', cause: unfit });
    schedule(ledger, enqueue, ledger.scheduling.offer(ledger.regionActors.keys() as Iterable<RegionId>));
  }),
  scheduleConsumers: enqueueActions(({ enqueue, system }, { vertex }: { vertex: ExecutionVertexId }) => {
    const { ledger } = servicesOf(system);
    scheduleAmong(ledger, enqueue, ledger.finishTask(vertex));
  }),
  rescheduleRegion: enqueueActions(
    ({ enqueue, system }, { region, failover }: { region: RegionId; failover: FailoverId }) => {
      const { ledger, gateway } = servicesOf(system);
      // It will restart again, and report that.
      if (!ledger.isLatestFailover(region, failover)) return;
      const unfit = neverFittingAmong(ledger, gateway.slotLimit, [region]);
      if (unfit !== undefined) return enqueue.raise({ type: 'job.globalFailure', cause: unfit });
      scheduleAmong(ledger, enqueue, ledger.scheduling.offer([region]));
    },
  ),
  grantSlots: enqueueActions(({ enqueue, system }) => grantSlots(servicesOf(system).ledger, enqueue)),
  withdrawRequest: enqueueActions(({ enqueue, system }, { region }: { region: RegionId }) => {
    const { ledger } = servicesOf(system);
    if (ledger.slots.cancelRequest(region)) grantSlots(ledger, enqueue);
  }),
  addExecutor: enqueueActions(({ enqueue, system }, { executor, slots }: Told<'executor.registered'>) => {
    const { ledger, environment, observe } = servicesOf(system);
    ledger.slots.addExecutor(executor, slots);
    observe({ type: 'executor.registered', executor, slots, atMs: environment.clock.now() });
    for (const region of ledger.waitingToAdopt()) adopt(ledger, enqueue, region);
    grantSlots(ledger, enqueue);
  }),
  removeExecutor: ({ system }, { executor, cause }) => {
    const { ledger, environment, observe } = servicesOf(system);
    ledger.slots.removeExecutor(executor);
    observe({ type: 'executor.lost', executor, cause, atMs: environment.clock.now() });
  },
  retireExecutor: ({ system }, { executor, graceMs, isReplaced }) => {
    const { ledger, environment, observe } = servicesOf(system);
    ledger.slots.removeExecutor(executor, isReplaced);
    observe({ type: 'executor.draining', executor, graceMs, atMs: environment.clock.now() });
  },
  noteDrained: ({ system }, { executor }) => {
    const { environment, observe } = servicesOf(system);
    observe({ type: 'executor.drained', executor, atMs: environment.clock.now() });
  },
  failIfSomeNeverFit: enqueueActions(({ enqueue, system }) => {
    const { ledger, gateway } = servicesOf(system);
    const unfit = neverFittingAmong(ledger, gateway.slotLimit, unfinished(ledger));
    if (unfit !== undefined) enqueue.raise({ type: 'job.globalFailure', cause: unfit });
  }),
} satisfies Partial<MasterActions>;

/** A queued region may have waited only for one of these to run again, with free slots available. */
function scheduleAmong(ledger: JobLedger, enqueue: RegionTeller, ready: readonly RegionId[]): void {
  schedule(ledger, enqueue, ready);
  if (ready.length > 0) grantSlots(ledger, enqueue);
}

/**
 * Schedules regions whose inputs are ready. One that finished in an earlier run adopts its results instead, once there is an
 * executor that can hold them.
 */
function schedule(ledger: JobLedger, enqueue: RegionTeller, ready: Iterable<RegionId>): void {
  const { slots, regions } = ledger;
  for (const region of ready) {
    if (!ledger.isRestored(region)) {
      const granted = slots.request(region, regions.verticesOf(region));
      tellRegion(ledger, enqueue, region, { type: 'region.schedule', slots: granted });
    } else if (!adopt(ledger, enqueue, region)) {
      tellRegion(ledger, enqueue, region, { type: 'region.schedule', slots: undefined });
    }
  }
}

/** Lets a region adopt its results. Returns false if there is no executor yet. */
function adopt(ledger: JobLedger, enqueue: RegionTeller, region: RegionId): boolean {
  const executor = ledger.slots.executorFor(region);
  if (executor === undefined) return false;
  tellRegion(ledger, enqueue, region, { type: 'region.restore', executor, stored: ledger.takeRestored(region) });
  return true;
}

function unfinished(ledger: JobLedger): RegionId[] {
  return ledger.regionActors.flatMap((actor, id) =>
    actor.getSnapshot().matches('finished') || ledger.isRestored(id as RegionId) ? [] : [id as RegionId],
  );
}

/** The error of the first region that needs more slots than there will ever be. */
function neverFittingAmong(
  ledger: JobLedger,
  slotLimit: number,
  candidates: Iterable<RegionId>,
): NoResourceAvailableError | undefined {
  const { slots, regions } = ledger;
  if (slotLimit >= slots.sharing.count) return undefined;
  for (const region of candidates) {
    const tasks = regions.verticesOf(region);
    if (tasks.length <= slotLimit || slots.sharing.slotsOf(tasks).size <= slotLimit) continue;
    return lackOfSlots(tasks, ledger, 'run at the same time, and there will never be as many', slotLimit);
  }
  return undefined;
}
