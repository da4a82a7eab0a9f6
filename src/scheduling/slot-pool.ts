import { IllegalStateError, InvalidArgumentError } from '../errors/usage-errors.ts';
import type { ExecutionVertexId, ExecutorId, RegionId } from '../ids.ts';

/** Room for one task on one executor. */
export interface Slot {
  readonly executor: ExecutorId;
  /**
   * Unique among used slots. An executor that left and came back continues counting, so old slots differ from new ones.
   */
  readonly index: number;
}

interface Offer {
  readonly size: number;
  readonly used: Set<number>;
  /** Free indexes below `next`. */
  readonly returned: number[];
  /** The first index that was never used. */
  next: number;
}

/**
 * The slots of all executors, granted to regions all or none, because two regions with half of their slots each could
 * block each other. Requests that cannot be met wait in a queue in dataflow order: a restarted producer comes before
 * its waiting consumers. A region overtakes the head of the queue only if that one needs more slots than all executors
 * offer, or is not ready.
 */
export class SlotPool {
  readonly #offers = new Map<ExecutorId, Offer>();
  /** The next index of an executor that left. */
  readonly #nextIndexes = new Map<ExecutorId, number>();
  readonly #queue = new Map<RegionId, number>();
  /** The queued regions, in order. */
  readonly #line: RegionId[] = [];
  readonly #isReady: (region: RegionId) => boolean;
  readonly #placeOf: (region: RegionId) => number;
  readonly #preferredOf: (region: RegionId) => readonly (ExecutorId | undefined)[];
  #total = 0;
  #free = 0;

  /**
   * @param isReady whether a waiting region could run if it had its slots; not while its inputs are being recomputed
   * @param placeOf position of a region in the dataflow, producers before consumers
   * @param preferredOf the executors that its tasks prefer, in order; undefined or absent for any
   */
  constructor(
    isReady: (region: RegionId) => boolean = () => true,
    placeOf: (region: RegionId) => number = (region) => region,
    preferredOf: (region: RegionId) => readonly (ExecutorId | undefined)[] = () => [],
  ) {
    this.#isReady = isReady;
    this.#placeOf = placeOf;
    this.#preferredOf = preferredOf;
  }

  addExecutor(executor: ExecutorId, slots: number): void {
    if (this.#offers.has(executor)) throw new IllegalStateError(`Executor ${executor} already offers slots`);
    if (slots !== Number.POSITIVE_INFINITY && !(Number.isInteger(slots) && slots >= 1)) {
      throw new InvalidArgumentError(`slots of executor ${executor}`, slots, 'an integer ≥ 1 or Infinity');
    }
    const next = this.#nextIndexes.get(executor) ?? 0;
    this.#offers.set(executor, { size: slots, used: new Set(), returned: [], next });
    this.#recount();
  }

  /** Removes an executor with all its slots. Used slots may still be released, but need not be. */
  removeExecutor(executor: ExecutorId): void {
    const offer = this.#offers.get(executor);
    if (offer === undefined) return;
    this.#offers.delete(executor);
    this.#nextIndexes.set(executor, offer.next);
    this.#recount();
  }

  /** An executor for results that need no slot, by turns; undefined if there is none. */
  executorFor(index: number): ExecutorId | undefined {
    const executors = [...this.#offers.keys()];
    return executors[index % executors.length];
  }

  /**
   * Returns the slots of a region, or queues it and returns undefined; {@link grants} will name it later.
   * @throws IllegalStateError if the region is already waiting
   */
  request(region: RegionId, count: number): readonly Slot[] | undefined {
    if (this.#queue.has(region)) throw new IllegalStateError(`Region ${region} is already waiting for slots`);
    if (!Number.isInteger(count) || count < 1) {
      throw new InvalidArgumentError(`slots for region ${region}`, count, 'an integer ≥ 1');
    }
    if (count <= this.#free && !this.#isAnyoneServableBefore(region)) return this.#take(region, count);
    this.#queue.set(region, count);
    this.#line.splice(this.#placeInLine(region), 0, region);
    return undefined;
  }

  /**
   * A slot for one more attempt of a task on an executor that is not in `notOn`, at once or not at all: undefined while
   * regions wait for slots, or if no other executor has a free one.
   */
  requestExtra(_task: ExecutionVertexId, notOn: ReadonlySet<ExecutorId>): Slot | undefined {
    if (this.#queue.size > 0) return undefined;
    const slot = this.#takeOf(this.#leastUsed(notOn));
    if (slot !== undefined) this.#free--;
    return slot;
  }

  /**
   * Removes a region from the queue and returns whether it was queued. Regions behind it may be served now: see
   * {@link grants}.
   */
  cancelRequest(region: RegionId): boolean {
    const waited = this.#queue.delete(region);
    if (waited) this.#line.splice(this.#placeInLine(region), 1);
    return waited;
  }

  /**
   * Releases slots. Slots of a removed executor are ignored.
   * @throws IllegalStateError for a slot that is already free
   */
  release(slots: readonly Slot[]): void {
    for (const { executor, index } of slots) {
      const offer = this.#offers.get(executor);
      if (offer === undefined || index < (this.#nextIndexes.get(executor) ?? 0)) continue;
      if (!offer.used.delete(index)) throw new IllegalStateError(`Slot ${executor}/${index} was released twice`);
      offer.returned.push(index);
      this.#free++;
    }
  }

  /** Serves the queue as far as possible. The returned regions have their slots. */
  grants(): { readonly region: RegionId; readonly slots: readonly Slot[] }[] {
    const granted: { region: RegionId; slots: readonly Slot[] }[] = [];
    for (const region of this.#line) {
      const count = this.#queue.get(region) as number;
      if (!this.#isServable(region, count)) continue;
      if (count > this.#free) break;
      granted.push({ region, slots: this.#take(region, count) });
    }
    for (const { region } of granted) this.cancelRequest(region);
    return granted;
  }

  get totalSlots(): number {
    return this.#total;
  }

  get freeSlots(): number {
    return this.#free;
  }

  get pendingRequests(): number {
    return this.#queue.size;
  }

  /**
   * Whether a region queued before `region` could be served by the current executors, now or once slots are released.
   */
  #isAnyoneServableBefore(region: RegionId): boolean {
    for (const other of this.#line) {
      if (this.#placeOf(other) > this.#placeOf(region)) return false;
      if (this.#isServable(other, this.#queue.get(other) as number)) return true;
    }
    return false;
  }

  #isServable(region: RegionId, count: number): boolean {
    return count <= this.#total && this.#isReady(region);
  }

  /** The queue position of a region, actual or hypothetical. */
  #placeInLine(region: RegionId): number {
    let [low, high] = [0, this.#line.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#placeOf(this.#line[middle] as RegionId) < this.#placeOf(region)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #recount(): void {
    this.#total = 0;
    this.#free = 0;
    for (const offer of this.#offers.values()) {
      this.#total += offer.size;
      this.#free += offer.size - offer.used.size;
    }
  }

  /** Takes slots one by one: of the executor that a task prefers, if it has one, or else of that with the fewest used. */
  #take(region: RegionId, count: number): Slot[] {
    const preferred = this.#preferredOf(region);
    const slots = Array.from({ length: count }, (_, index) => this.#takeOf(preferred[index]));
    this.#free -= count;
    for (let index = 0; index < count; index++) slots[index] ??= this.#takeOf(this.#leastUsed());
    if (slots.includes(undefined)) throw new IllegalStateError('There are fewer slots than counted');
    return slots as Slot[];
  }

  /** A free slot of an executor; undefined if it has none. */
  #takeOf(executor: ExecutorId | undefined): Slot | undefined {
    const offer = executor === undefined ? undefined : this.#offers.get(executor);
    if (executor === undefined || offer === undefined || offer.used.size >= offer.size) return undefined;
    const index = offer.returned.pop() ?? offer.next++;
    offer.used.add(index);
    return { executor, index };
  }

  /** Of the executors with a free slot, that with the fewest used. */
  #leastUsed(notOn?: ReadonlySet<ExecutorId>): ExecutorId | undefined {
    let best: ExecutorId | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [executor, { used, size }] of this.#offers) {
      if (used.size >= size || used.size >= fewest || notOn?.has(executor) === true) continue;
      [best, fewest] = [executor, used.size];
    }
    return best;
  }
}
