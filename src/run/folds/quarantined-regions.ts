import type { JobEvent } from '../../actors/job-event.ts';
import type { QuarantinedRegion } from '../../errors/job-errors.ts';
import type { ExecutionVertexId, RegionId } from '../../ids.ts';
import type { EventFold } from './event-fold.ts';
import type { JobShape } from './job-shape.ts';

/** The regions of a run that are quarantined, in the order in which they were quarantined. */
export class QuarantinedRegions implements EventFold<readonly QuarantinedRegion[]> {
  readonly #shape: Pick<JobShape, 'graph' | 'regions'>;
  readonly #byRegion = new Map<RegionId, QuarantinedRegion>();

  constructor(shape: Pick<JobShape, 'graph' | 'regions'>) {
    this.#shape = shape;
  }

  next(event: JobEvent): void {
    if (event.type === 'region.released') this.#byRegion.delete(event.region);
    if (event.type !== 'region.quarantined') return;
    const { region, task, cause, failures } = event;
    const { graph, regions } = this.#shape;
    const tasks = Array.from(regions.verticesOf(region), (vertex) => graph.nameOf(vertex as ExecutionVertexId));
    this.#byRegion.set(region, Object.freeze({ region, tasks: Object.freeze(tasks), task, cause, failures }));
  }

  value(): readonly QuarantinedRegion[] {
    return [...this.#byRegion.values()];
  }
}
