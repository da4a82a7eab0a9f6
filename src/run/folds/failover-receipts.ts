import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionVertexId, FailoverId, RegionId } from '../../ids.ts';
import type { EventFold } from './event-fold.ts';
import type { FailoverReceipt } from './job-receipt.ts';
import type { JobShape } from './job-shape.ts';

type Decided = Extract<JobEvent, { type: 'failover.decided' }>;

/** The cost of each failover of a run, in the order in which they began. */
export class FailoverReceipts implements EventFold<readonly FailoverReceipt[]> {
  readonly #shape: JobShape;
  readonly #hasBegun: (task: number) => boolean;
  readonly #receipts = new Map<FailoverId, FailoverReceipt>();

  /** @param hasBegun whether an attempt of a task has been deployed */
  constructor(shape: JobShape, hasBegun: (task: number) => boolean) {
    this.#shape = shape;
    this.#hasBegun = hasBegun;
  }

  next(event: JobEvent): void {
    switch (event.type) {
      case 'task.failed':
        this.#receipts.set(event.failover, opened(event));
        return;
      case 'failover.decided':
        this.#amend(event.failover, this.#costOf(event));
        return;
      case 'failover.refused':
        this.#amend(event.failover, { why: event.why });
        return;
      case 'failover.completed':
        this.#amend(event.failover, { recoveryMs: event.durationMs });
        return;
      default:
    }
  }

  value(): readonly FailoverReceipt[] {
    return Object.freeze([...this.#receipts.values()]);
  }

  #amend(failover: FailoverId, change: Partial<FailoverReceipt>): void {
    const receipt = this.#receipts.get(failover);
    if (receipt !== undefined) this.#receipts.set(failover, Object.freeze({ ...receipt, ...change }));
  }

  #costOf(event: Decided): Partial<FailoverReceipt> {
    const { regions, again, consumersKeepRunning, delayMs, why } = event;
    return {
      regionsRestarted: regions.length,
      tasksRestarted: this.#begunTasks(regions),
      regionsAgain: again.filter((region) => this.#shape.regions.outputsOf(region).length > 0).length,
      readersKeptRunning: consumersKeepRunning,
      delayMs,
      why,
      ...this.#reuseOf(event),
    };
  }

  /** Tasks that had started. Waiting tasks are not restarted. */
  #begunTasks(regions: readonly RegionId[]): number {
    let count = 0;
    for (const region of regions) {
      for (const task of this.#shape.regions.verticesOf(region)) if (this.#hasBegun(task)) count++;
    }
    return count;
  }

  /** The results re-read by tasks that had begun. A task that had not begun reads them for the first time. */
  #reuseOf({ regions, reused }: Decided): Partial<FailoverReceipt> {
    const restarting = new Set<RegionId>(regions);
    const isReadAgain = new Map<number, boolean>();
    const reuse = { partitionsReused: 0, bytesReused: 0, recordsReused: 0 };
    for (const { partition, bytes, records } of reused) {
      const group = this.#shape.graph.groupOfPartition(partition);
      let counts = isReadAgain.get(group);
      if (counts === undefined) isReadAgain.set(group, (counts = this.#isReadAgain(group, restarting)));
      if (!counts) continue;
      reuse.partitionsReused++;
      reuse.bytesReused += bytes;
      reuse.recordsReused += records;
    }
    return reuse;
  }

  #isReadAgain(group: number, restarting: ReadonlySet<RegionId>): boolean {
    const { graph, regions } = this.#shape;
    for (let task = graph.consumerStart(group); task < graph.consumerEnd(group); task++) {
      if (this.#hasBegun(task) && restarting.has(regions.regionOf(task as ExecutionVertexId))) return true;
    }
    return false;
  }
}

function opened({ failover, task, cause }: Extract<JobEvent, { type: 'task.failed' }>): FailoverReceipt {
  return Object.freeze({
    failover,
    task,
    cause: `${cause.name}: ${cause.message}`,
    why: undefined,
    regionsRestarted: 0,
    tasksRestarted: 0,
    regionsAgain: 0,
    readersKeptRunning: false,
    partitionsReused: 0,
    bytesReused: 0,
    recordsReused: 0,
    delayMs: 0,
    recoveryMs: undefined,
  });
}
