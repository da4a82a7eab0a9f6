/** A queue with removal at any position. Finding the first item takes constant amortized time. */
export class TurnQueue<Item extends object> {
  readonly #items = new Set<Item>();
  /** Iterates the items after the first. */
  #behind = this.#items.values();
  #first: Item | undefined;

  get size(): number {
    return this.#items.size;
  }

  /** The first item; undefined if the queue is empty. */
  get first(): Item | undefined {
    while (this.#items.size > 0 && (this.#first === undefined || !this.#items.has(this.#first))) {
      const next = this.#behind.next();
      // An exhausted iterator does not see later additions.
      if (next.done === true) this.#behind = this.#items.values();
      else this.#first = next.value;
    }
    return this.#items.size > 0 ? this.#first : undefined;
  }

  add(item: Item): void {
    this.#items.add(item);
  }

  /** Removes an item; returns whether it was in the queue. */
  delete(item: Item): boolean {
    return this.#items.delete(item);
  }
}
