import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionVertexId, FailoverId, RegionId } from '../../ids.ts';
import type { EventFold } from './event-fold.ts';
import type { FailoverReceipt } from './job-receipt.ts';
import type { JobShape } from './job-shape.ts';
import { restartedRegions } from './restarted-regions.ts';

type Decided = Extract<JobEvent, { type: 'failover.decided' }>;

/** What the cost of a failover depends on, beside its events. */
export interface FailoverContext {
  readonly shape: JobShape;
  /** Whether an attempt of a task has been deployed. */
  readonly hasBegun: (task: number) => boolean;
}

/** How many failovers a receipt lists. */
const listed = 1_000;

/** The cost of the latest failovers of a run, in the order in which they began, and the number of all. */
export class FailoverReceipts implements EventFold<readonly FailoverReceipt[]> {
  readonly #context: FailoverContext;
  readonly #receipts = new Map<FailoverId, FailoverReceipt>();
  #count = 0;

  constructor(context: FailoverContext) {
    this.#context = context;
  }

  next(event: JobEvent): void {
    if (!isAboutFailover(event)) return;
    const known = this.#receipts.get(event.failover);
    const receipt = receiptAfter(known, event, this.#context);
    if (receipt === undefined) return;
    this.#receipts.set(event.failover, receipt);
    if (known === undefined) this.#count++;
    if (this.#receipts.size <= listed) return;
    for (const oldest of this.#receipts.keys()) {
      this.#receipts.delete(oldest);
      return;
    }
  }

  /** The number of all failovers, including those that are no longer listed. */
  get count(): number {
    return this.#count;
  }

  value(): readonly FailoverReceipt[] {
    return Object.freeze([...this.#receipts.values()]);
  }
}

const failoverEvents = [
  'task.failed',
  'failover.decided',
  'failover.refused',
  'failover.completed',
  'region.quarantined',
] as const;

type FailoverEvent = Extract<JobEvent, { type: (typeof failoverEvents)[number] }>;

/** The event with a cause of which only the name and the message matter. */
type Costing =
  | Exclude<FailoverEvent, { type: 'task.failed' | 'region.quarantined' }>
  | Pick<Extract<FailoverEvent, { type: 'region.quarantined' }>, 'type' | 'failover' | 'why'>
  | (Omit<Extract<FailoverEvent, { type: 'task.failed' }>, 'cause'> & {
      readonly cause: Pick<Error, 'name' | 'message'>;
    });

function isAboutFailover(event: JobEvent): event is FailoverEvent {
  return (failoverEvents as readonly string[]).includes(event.type);
}

/** The receipt of a failover after an event about it; undefined if its failure is not known. */
export function receiptAfter(
  receipt: FailoverReceipt | undefined,
  event: Costing,
  context: FailoverContext,
): FailoverReceipt | undefined {
  if (event.type === 'task.failed') return opened(event);
  return receipt && Object.freeze({ ...receipt, ...changeBy(event, context) });
}

function changeBy(
  event: Exclude<Costing, { type: 'task.failed' }>,
  context: FailoverContext,
): Partial<FailoverReceipt> {
  switch (event.type) {
    case 'failover.decided':
      return costOf(event, context);
    case 'failover.refused':
      return { why: event.why };
    case 'region.quarantined':
      return { why: `its region is quarantined: ${event.why}` };
    case 'failover.completed':
      return event.regions.length === 0 ? {} : { recoveryMs: event.durationMs };
  }
}

function costOf(event: Decided, context: FailoverContext): Partial<FailoverReceipt> {
  const { again, consumersKeepRunning, delayMs, why } = event;
  const regions = restartedRegions(event);
  return {
    regionsRestarted: regions.length,
    tasksRestarted: begunTasks(regions, context),
    regionsAgain: again.filter((region) => context.shape.regions.outputsOf(region).length > 0).length,
    readersKeptRunning: consumersKeepRunning,
    delayMs,
    why,
    ...reuseOf(regions, event.reused, context),
  };
}

/** Tasks that had started. Waiting tasks are not restarted. */
function begunTasks(regions: readonly RegionId[], { shape, hasBegun }: FailoverContext): number {
  let count = 0;
  for (const region of regions) {
    for (const task of shape.regions.verticesOf(region)) if (hasBegun(task)) count++;
  }
  return count;
}

/** The results re-read by tasks that had begun. A task that had not begun reads them for the first time. */
function reuseOf(
  regions: readonly RegionId[],
  reused: Decided['reused'],
  context: FailoverContext,
): Partial<FailoverReceipt> {
  const restarting = new Set<RegionId>(regions);
  const knownByGroup = new Map<number, boolean>();
  const reuse = { partitionsReused: 0, bytesReused: 0, recordsReused: 0 };
  for (const { partition, bytes, records } of reused) {
    const group = context.shape.graph.groupOfPartition(partition);
    let counts = knownByGroup.get(group);
    if (counts === undefined) knownByGroup.set(group, (counts = isReadAgain(group, restarting, context)));
    if (!counts) continue;
    reuse.partitionsReused++;
    reuse.bytesReused += bytes;
    reuse.recordsReused += records;
  }
  return reuse;
}

function isReadAgain(group: number, restarting: ReadonlySet<RegionId>, { shape, hasBegun }: FailoverContext): boolean {
  const { graph, regions } = shape;
  for (let task = graph.consumerStart(group); task < graph.consumerEnd(group); task++) {
    if (hasBegun(task) && restarting.has(regions.regionOf(task as ExecutionVertexId))) return true;
  }
  return false;
}

function opened(failed: Extract<Costing, { type: 'task.failed' }>): FailoverReceipt {
  const { failover, task, cause, lostPartitions } = failed;
  return Object.freeze({
    failover,
    task,
    cause: `${cause.name}: ${cause.message}`,
    ...(lostPartitions !== undefined && { lostPartitions }),
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
