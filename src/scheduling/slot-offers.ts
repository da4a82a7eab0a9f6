import { IllegalStateError, InvalidArgumentError } from '../errors/usage-errors.ts';
import type { ExecutorId } from '../ids.ts';

/** Room on one executor, for a task or for tasks that share a slot. */
export interface Slot {
  readonly executor: ExecutorId;
  /**
   * Unique among used slots. An executor that left and came back continues counting, so old slots differ from new ones.
   */
  readonly index: number;
}

/** A slot in use. */
export interface UsedSlot {
  readonly slot: Slot;
  /** The number of the shared slot that it serves; undefined for an attempt beside the one in that slot. */
  readonly shared: number | undefined;
  /** The number of attempts that hold it. */
  holders: number;
}

/** The slots that an executor offers, and those of them that are used. */
export interface SlotUsage {
  readonly executor: ExecutorId;
  /** Infinity for no limit. */
  readonly slots: number;
  readonly used: number;
}

interface Offer {
  readonly executor: ExecutorId;
  readonly size: number;
  readonly used: Map<number, UsedSlot>;
  /** Free indexes below `next`. */
  readonly returned: number[];
  /** The first index that was never used. */
  next: number;
  /** When it joined, among all offers: the older one is taken of two that are equally used. */
  readonly order: number;
  /** Its place in the heap. */
  place: number;
}

/**
 * The slots of all executors. A heap by the number of used slots makes taking and releasing one O(log executors).
 */
export class SlotOffers {
  readonly #offers = new Map<ExecutorId, Offer>();
  /** The first free index of an executor that left. */
  readonly #nextIndexes = new Map<ExecutorId, number>();
  /** A binary heap: the executor with the fewest used slots first, those without a free slot last. */
  readonly #heap: Offer[] = [];
  /** In the order in which they joined. */
  #executors: readonly ExecutorId[] = [];
  #joined = 0;
  #total = 0;
  #free = 0;
  #used = 0;

  /** @throws IllegalStateError | InvalidArgumentError for an executor that offers slots already, or no slot */
  add(executor: ExecutorId, slots: number): void {
    if (this.#offers.has(executor)) throw new IllegalStateError(`Executor ${executor} already offers slots`);
    if (slots !== Number.POSITIVE_INFINITY && !(Number.isInteger(slots) && slots >= 1)) {
      throw new InvalidArgumentError(`slots of executor ${executor}`, slots, 'an integer ≥ 1 or Infinity');
    }
    const next = this.#nextIndexes.get(executor) ?? 0;
    const place = this.#heap.length;
    const offer: Offer = { executor, size: slots, used: new Map(), returned: [], next, order: this.#joined++, place };
    this.#offers.set(executor, offer);
    this.#heap.push(offer);
    this.#rise(offer);
    this.#recount();
  }

  /** Removes an executor with all its slots. Returns those that were used. O(executors and used slots) */
  remove(executor: ExecutorId): Iterable<UsedSlot> {
    const offer = this.#offers.get(executor);
    if (offer === undefined) return [];
    this.#offers.delete(executor);
    this.#nextIndexes.set(executor, offer.next);
    const last = this.#heap.pop() as Offer;
    if (last !== offer) {
      this.#put(last, offer.place);
      this.#rise(last);
      this.#sink(last);
    }
    this.#recount();
    return offer.used.values();
  }

  get total(): number {
    return this.#total;
  }

  get free(): number {
    return this.#free;
  }

  /** Number of executors. */
  get executorCount(): number {
    return this.#executors.length;
  }

  /** An executor by number, beginning anew after the last; undefined if there is none. */
  at(index: number): ExecutorId | undefined {
    return this.#executors[index % this.#executors.length];
  }

  /** Whether an executor is there and has a free slot. */
  hasFree(executor: ExecutorId): boolean {
    const offer = this.#offers.get(executor);
    return offer !== undefined && offer.used.size < offer.size;
  }

  /** Whether a slot is one of an executor that is there, and was not away since. */
  isCurrent({ executor, index }: Slot): boolean {
    return this.#offers.has(executor) && index >= (this.#nextIndexes.get(executor) ?? 0);
  }

  /** Number of used slots of all executors. */
  get used(): number {
    return this.#used;
  }

  /** Number of used slots of an executor. */
  usedOf(executor: ExecutorId): number {
    return this.#offers.get(executor)?.used.size ?? 0;
  }

  /** What each executor offers and has in use, the earliest first. */
  usage(): SlotUsage[] {
    return [...this.#offers.values()].map(({ executor, size, used }) => ({ executor, slots: size, used: used.size }));
  }

  /**
   * Takes a free slot of an executor, by default of that with the fewest used.
   * @throws IllegalStateError if there is none
   */
  take(shared: number | undefined, executor?: ExecutorId): UsedSlot {
    const offer = executor === undefined ? this.#heap[0] : this.#offers.get(executor);
    if (offer === undefined || offer.used.size >= offer.size) {
      throw new IllegalStateError(`Executor ${executor ?? 'of any name'} has no free slot`);
    }
    const index = offer.returned.pop() ?? offer.next++;
    const taken: UsedSlot = {
      slot: { executor: offer.executor, index },
      shared,
      holders: shared === undefined ? 1 : 0,
    };
    offer.used.set(index, taken);
    this.#free--;
    this.#used++;
    this.#sink(offer);
    return taken;
  }

  /**
   * One attempt fewer holds a slot. Returns the slot if it is free now. Slots of a removed executor are ignored.
   * @throws IllegalStateError for a slot that is free already
   */
  release({ executor, index }: Slot): UsedSlot | undefined {
    const offer = this.#offers.get(executor);
    if (offer === undefined || !this.isCurrent({ executor, index })) return undefined;
    const used = offer.used.get(index);
    if (used === undefined) throw new IllegalStateError(`Slot ${executor}/${index} was released twice`);
    if (--used.holders > 0) return undefined;
    offer.used.delete(index);
    offer.returned.push(index);
    this.#free++;
    this.#used--;
    this.#rise(offer);
    return used;
  }

  #recount(): void {
    this.#executors = [...this.#offers.keys()];
    this.#total = 0;
    this.#free = 0;
    this.#used = 0;
    for (const offer of this.#offers.values()) {
      this.#used += offer.used.size;
      this.#total += offer.size;
      this.#free += offer.size - offer.used.size;
    }
  }

  #rise(offer: Offer): void {
    while (offer.place > 0) {
      const parent = this.#heap[(offer.place - 1) >> 1] as Offer;
      if (!isBefore(offer, parent)) return;
      this.#swap(offer, parent);
    }
  }

  #sink(offer: Offer): void {
    for (;;) {
      const left = this.#heap[2 * offer.place + 1];
      const right = this.#heap[2 * offer.place + 2];
      const child = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, offer)) return;
      this.#swap(child, offer);
    }
  }

  #swap(one: Offer, other: Offer): void {
    const place = one.place;
    this.#put(one, other.place);
    this.#put(other, place);
  }

  #put(offer: Offer, place: number): void {
    this.#heap[place] = offer;
    offer.place = place;
  }
}

function isBefore(one: Offer, other: Offer): boolean {
  const [isFull, isOtherFull] = [one.used.size >= one.size, other.used.size >= other.size];
  if (isFull !== isOtherFull) return isOtherFull;
  return one.used.size - other.used.size < 0 || (one.used.size === other.used.size && one.order < other.order);
}
