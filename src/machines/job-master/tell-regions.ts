import type { MasterToRegionEvent } from '../../actors/chart-events.ts';
import type { RegionId } from '../../ids.ts';
import type { RegionActorRef } from '../region/region-machine.ts';
import type { JobLedger } from './job-ledger.ts';

/** The enqueuer of an action, as far as it tells regions something. */
export interface RegionTeller {
  sendTo(target: RegionActorRef, event: MasterToRegionEvent): void;
}

/** Tells one region something: from an enqueuer, so that it is sent when the master has come to rest. */
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

/** Tells regions that they have the slots which came free for them. */
export function grantSlots(ledger: Pick<JobLedger, 'regionActors' | 'slots'>, enqueue: RegionTeller): void {
  if (ledger.slots.pendingRequests === 0) return;
  for (const { region, slots } of ledger.slots.grants()) {
    tellRegion(ledger, enqueue, region, { type: 'region.slotsGranted', slots });
  }
}
