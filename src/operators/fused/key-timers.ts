/** Fewer are not worth a look at what was taken back. */
const mostUnnoticed = 1_024;

/** A timer of a key. */
interface KeyTimer {
  readonly atMs: number;
  readonly key: unknown;
}

/** The timers of keys, the earliest first; of those at the same time, the one that was set first. */
export class KeyTimers {
  /** A binary heap. */
  #heap: (KeyTimer & { readonly order: number })[] = [];
  #order = 0;
  /** About how many were taken back and are still here. */
  #goneCount = 0;

  /** When the earliest is due, in wall-clock ms; undefined if there is none. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  add(atMs: number, key: unknown): void {
    const heap = this.#heap;
    heap.push({ atMs, key, order: this.#order++ });
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** One that is here was taken back. */
  noteGone(): void {
    this.#goneCount++;
  }

  /** Drops those that were taken back, once they are the most. @param isSet whether one is set */
  dropGone(isSet: (timer: KeyTimer) => boolean): void {
    if (this.#heap.length <= mostUnnoticed || this.#goneCount * 2 <= this.#heap.length) return;
    const seen = new Map<unknown, Set<number>>();
    // What is sorted is a heap.
    this.#heap = this.#heap
      .sort((a, b) => a.atMs - b.atMs || a.order - b.order)
      .filter((timer) => {
        const times = seen.get(timer.key) ?? new Set();
        if (times.has(timer.atMs) || !isSet(timer)) return false;
        seen.set(timer.key, times.add(timer.atMs));
        return true;
      });
    this.#goneCount = 0;
  }

  /** Takes the earliest, if it is due. */
  takeDue(nowMs: number): KeyTimer | undefined {
    const heap = this.#heap;
    const [first] = heap;
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.#swap(0, heap.length - 1);
    heap.pop();
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && this.#isBefore(child, least)) least = child;
      if (least === at) return first;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]] as [KeyTimer & { order: number }, KeyTimer & { order: number }];
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(one: number, other: number): void {
    const heap = this.#heap;
    [heap[one], heap[other]] = [heap[other], heap[one]] as [(typeof heap)[number], (typeof heap)[number]];
  }
}
