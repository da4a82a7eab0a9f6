/** A queue that is left from any place: to find the first does not cost more the more have left. */
export class TurnQueue<Item extends object> {
  readonly #items = new Set<Item>();
  /** Those behind the first. */
  #behind = this.#items.values();
  #first: Item | undefined;

  get size(): number {
    return this.#items.size;
  }

  /** Undefined when it is empty. */
  get first(): Item | undefined {
    while (this.#items.size > 0 && (this.#first === undefined || !this.#items.has(this.#first))) {
      const next = this.#behind.next();
      // An iterator that has come to an end does not see what is added.
      if (next.done === true) this.#behind = this.#items.values();
      else this.#first = next.value;
    }
    return this.#items.size > 0 ? this.#first : undefined;
  }

  add(item: Item): void {
    this.#items.add(item);
  }

  /** Whether it was there. */
  delete(item: Item): boolean {
    return this.#items.delete(item);
  }
}
