/** A timer of a key. */
interface KeyTimer {
  readonly atMs: number;
  readonly key: unknown;
}

/** The timers of keys, the earliest first; of those at the same time, the one that was set first. */
export class KeyTimers {
  /** A binary heap. */
  readonly #heap: (KeyTimer & { readonly order: number })[] = [];
  #order = 0;

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
