import { type FailoverContext, receiptAfter } from '../../run/folds/failover-receipts.ts';
import { rangesOf } from './id-ranges.ts';
import type { RecordedDecision, RecordedEvent, RecordedFailover } from './recording-line.ts';

type About<Type extends RecordedEvent['type']> = Extract<RecordedEvent, { type: Type }>;

/** An event about a failover. */
export type FailoverEvent = About<
  | 'task.failed'
  | 'failover.decided'
  | 'failover.refused'
  | 'failover.overruled'
  | 'failover.completed'
  | 'region.quarantined'
>;

const mostFailovers = 1_000;
const mostOverruled = 8;

/** The latest failures, with the decisions about them and their cost. */
export class FailoverList {
  readonly #context: FailoverContext;
  readonly #byId: Map<number, RecordedFailover>;
  /** The latest failover that was not merged into another; undefined if it is not kept. */
  #root: number | undefined;

  constructor(context: FailoverContext, plain: readonly RecordedFailover[] = []) {
    this.#context = context;
    this.#byId = new Map(plain.map((failover) => [failover.failover, failover]));
    for (const one of plain) if (isSettled(one) && one.mergedInto === undefined) this.#root = one.failover;
  }

  /** Oldest first. */
  get all(): IterableIterator<RecordedFailover> {
    return this.#byId.values();
  }

  get size(): number {
    return this.#byId.size;
  }

  get(failover: number): RecordedFailover | undefined {
    return this.#byId.get(failover);
  }

  /** Takes an event. O(what it names). */
  next(event: FailoverEvent): void {
    const { failover } = event;
    if (event.type === 'task.failed') {
      this.#open(event);
      return;
    }
    const before = this.#byId.get(failover);
    if (before === undefined) return;
    if (event.type === 'failover.overruled') {
      if (before.overruled.length === mostOverruled) return;
      this.#byId.set(failover, { ...before, overruled: [...before.overruled, event] });
      return;
    }
    const receipt = receiptAfter(before.receipt, event, this.#context) ?? before.receipt;
    const settled = event.type === 'region.quarantined' ? { quarantined: event.region } : this.#settledBy(event);
    this.#byId.set(failover, { ...before, ...settled, receipt });
  }

  #open(event: About<'task.failed'>): void {
    const receipt = receiptAfter(undefined, event, this.#context);
    if (receipt === undefined) return;
    this.#byId.set(event.failover, { failover: event.failover, failure: event, overruled: [], receipt });
    if (this.#byId.size <= mostFailovers) return;
    const [oldest] = this.#byId.keys();
    this.#byId.delete(oldest as number);
    if (this.#root === oldest) this.#root = undefined;
  }

  #settledBy(event: About<'failover.decided' | 'failover.refused' | 'failover.completed'>): Partial<RecordedFailover> {
    if (event.type === 'failover.completed') return event.regions.length === 0 ? {} : { completedMs: event.atMs };
    const settled = event.type === 'failover.refused' ? { refused: event } : { decided: decisionOf(event) };
    if (!event.newAttempt && this.#root !== undefined) return { ...settled, mergedInto: this.#root };
    this.#root = event.failover;
    return settled;
  }
}

function isSettled({ decided, refused }: RecordedFailover): boolean {
  return decided !== undefined || refused !== undefined;
}

function decisionOf({
  atMs,
  regions,
  again,
  reused,
  taskCount,
  delayMs,
  why,
  restartsLeft,
  quarantined = [],
  heldUp = [],
}: About<'failover.decided'>): RecordedDecision {
  return {
    ...{ atMs, taskCount, delayMs, why },
    ...(restartsLeft !== undefined && { restartsLeft }),
    ...(quarantined.length > 0 && { quarantined: rangesOf(quarantined) }),
    ...(heldUp.length > 0 && { heldUp: rangesOf(heldUp) }),
    regions: rangesOf(regions),
    again: rangesOf(again),
    reused: rangesOf(reused.map(({ partition }) => partition)),
  };
}
