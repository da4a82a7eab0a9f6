import type { MasterToRegionEvent } from '../../actors/chart-events.ts';
import type { RegionId } from '../../ids.ts';
import type { RegionActorRef } from '../region/region-machine.ts';
import type { JobLedger } from './job-ledger.ts';

/** The part of an action's enqueuer that sends events to regions. */
export interface RegionTeller {
  sendTo(target: RegionActorRef, event: MasterToRegionEvent): void;
}

/** Sends an event to one region. Enqueued, so it is sent once the master's transition is complete. */
export function tellRegion(
  { regionActors }: Pick<JobLedger, 'regionActors'>,
  enqueue: RegionTeller,
  region: RegionId,
  command: MasterToRegionEvent,
): void {
  enqueue.sendTo(regionActors[region] as RegionActorRef, command);
}

export function tellEveryRegion(
  { regionActors }: Pick<JobLedger, 'regionActors'>,
  enqueue: RegionTeller,
  command: MasterToRegionEvent,
): void {
  for (const region of regionActors) enqueue.sendTo(region, command);
}

/** Tells waiting regions that their slots were granted. */
export function grantSlots(ledger: Pick<JobLedger, 'regionActors' | 'slots'>, enqueue: RegionTeller): void {
  if (ledger.slots.pendingRequests === 0) return;
  for (const { region, slots } of ledger.slots.grants()) {
    tellRegion(ledger, enqueue, region, { type: 'region.slotsGranted', slots });
  }
}
