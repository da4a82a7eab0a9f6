import { IllegalStateError, InvalidArgumentError } from '../errors.ts';
import type { ExecutorId, RegionId } from '../ids.ts';

/** Room for one task on one executor. */
export interface Slot {
  readonly executor: ExecutorId;
  readonly index: number;
}

interface Offer {
  readonly size: number;
  used: number;
  /** Indexes below `next` that are free again. */
  readonly returned: number[];
  next: number;
}

/**
 * The slots that executors offer, given to regions all or nothing: a region that got half of what it needs would hold
 * it against another that holds the other half. Requests that cannot be met wait in line; nobody overtakes.
 */
export class SlotPool {
  readonly #offers = new Map<ExecutorId, Offer>();
  readonly #queue = new Map<RegionId, number>();
  #free = 0;

  addExecutor(executor: ExecutorId, slots: number): void {
    if (this.#offers.has(executor)) throw new IllegalStateError(`Executor ${executor} already offers slots`);
    if (slots !== Number.POSITIVE_INFINITY && !(Number.isInteger(slots) && slots >= 1)) {
      throw new InvalidArgumentError(`slots of executor ${executor}`, slots, 'an integer ≥ 1 or Infinity');
    }
    this.#offers.set(executor, { size: slots, used: 0, returned: [], next: 0 });
    this.#free += slots;
  }

  /** Withdraws an executor with all its slots; those in use need not be released, but may be. */
  removeExecutor(executor: ExecutorId): void {
    if (!this.#offers.delete(executor)) return;
    this.#free = 0;
    for (const offer of this.#offers.values()) this.#free += offer.size - offer.used;
  }

  /** The slots of a region at once, or undefined: then it waits in line, and {@link grants} will name it. */
  request(region: RegionId, count: number): readonly Slot[] | undefined {
    if (this.#queue.has(region)) throw new IllegalStateError(`Region ${region} is already waiting for slots`);
    if (this.#queue.size === 0 && count <= this.#free) return this.#take(count);
    this.#queue.set(region, count);
    return undefined;
  }

  cancelRequest(region: RegionId): void {
    this.#queue.delete(region);
  }

  /** Takes slots back. Slots of an executor that was removed are forgotten. */
  release(slots: readonly Slot[]): void {
    for (const { executor, index } of slots) {
      const offer = this.#offers.get(executor);
      if (offer === undefined || index >= offer.next) continue;
      offer.returned.push(index);
      offer.used--;
      if (offer.size !== Number.POSITIVE_INFINITY) this.#free++;
    }
  }

  /** Serves the line as far as it goes; whoever is named has its slots. */
  grants(): { readonly region: RegionId; readonly slots: readonly Slot[] }[] {
    const granted: { region: RegionId; slots: readonly Slot[] }[] = [];
    for (const [region, count] of this.#queue) {
      if (count > this.#free) break;
      this.#queue.delete(region);
      granted.push({ region, slots: this.#take(count) });
    }
    return granted;
  }

  get totalSlots(): number {
    let total = 0;
    for (const offer of this.#offers.values()) total += offer.size;
    return total;
  }

  get freeSlots(): number {
    return this.#free;
  }

  get pendingRequests(): number {
    return this.#queue.size;
  }

  /** Takes from the executor with the fewest slots in use, one by one. */
  #take(count: number): Slot[] {
    const slots: Slot[] = [];
    while (slots.length < count) {
      let best: ExecutorId | undefined;
      let bestOffer: Offer | undefined;
      for (const [executor, offer] of this.#offers) {
        if (offer.used < offer.size && (bestOffer === undefined || offer.used < bestOffer.used)) {
          [best, bestOffer] = [executor, offer];
        }
      }
      if (best === undefined || bestOffer === undefined)
        throw new IllegalStateError('There are fewer slots than counted');
      bestOffer.used++;
      slots.push({ executor: best, index: bestOffer.returned.pop() ?? bestOffer.next++ });
    }
    if (this.#free !== Number.POSITIVE_INFINITY) this.#free -= count;
    return slots;
  }
}
