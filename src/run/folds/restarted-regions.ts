import type { JobEvent } from '../../actors/job-event.ts';
import type { RegionId } from '../../ids.ts';

/** The regions of a decision that restart: those that are neither quarantined nor held up. */
export function restartedRegions({
  regions,
  quarantined = [],
  heldUp = [],
}: Pick<Extract<JobEvent, { type: 'failover.decided' }>, 'regions' | 'quarantined' | 'heldUp'>): readonly RegionId[] {
  if (quarantined.length + heldUp.length === 0) return regions;
  const stopped = new Set([...quarantined, ...heldUp]);
  return regions.filter((region) => !stopped.has(region));
}
