import type { JobEvent } from '../../actors/job-event.ts';
import type { FailoverId, RegionId } from '../../ids.ts';
import type { EventFold } from './event-fold.ts';

/** Failovers of which the events are kept. */
const mostFailovers = 16;

/**
 * The events of a run that those who come late cannot do without: of its executors, of the regions that are quarantined,
 * and of its latest failovers from the failure to the end of the restart. In order. Bounded by the number of failovers,
 * regions and executors.
 */
export class LatestEvents implements EventFold<readonly JobEvent[]> {
  readonly #executors: JobEvent[] = [];
  readonly #quarantined = new Map<RegionId, JobEvent>();
  readonly #byFailover = new Map<FailoverId, JobEvent[]>();

  next(event: JobEvent): void {
    switch (event.type) {
      case 'executor.registered':
      case 'executor.lost':
      case 'executor.draining':
      case 'executor.drained':
        this.#executors.push(event);
        return;
      case 'region.quarantined':
        this.#quarantined.set(event.region, event);
        return;
      case 'region.released':
        this.#quarantined.delete(event.region);
        return;
      case 'task.failed':
        this.#byFailover.set(event.failover, [event]);
        if (this.#byFailover.size > mostFailovers) this.#dropOldest();
        return;
      case 'failover.decided':
      case 'failover.refused':
      case 'failover.overruled':
      case 'failover.completed':
        this.#byFailover.get(event.failover)?.push(event);
        return;
      default:
    }
  }

  value(): readonly JobEvent[] {
    const failovers = [...this.#byFailover.values()].flat();
    return [...this.#executors, ...failovers, ...this.#quarantined.values()].sort((a, b) => a.atMs - b.atMs);
  }

  #dropOldest(): void {
    const [oldest] = this.#byFailover.keys();
    if (oldest !== undefined) this.#byFailover.delete(oldest);
  }
}
