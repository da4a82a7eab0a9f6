/** Results whose origin is remembered: more than any stage holds on to. */
const mostResults = 16_384;

/** What one batch of results came of. */
interface Noted {
  readonly count: number;
  /** By result: what it came of, counted from `base`. undefined where that is not known. */
  readonly origins: readonly (number | undefined)[] | undefined;
  readonly base: number;
}

/** Which records the latest results of a stage came of. Looked at when something has failed, and cheap until then. */
export class Lineage {
  #batches: Noted[] = [];
  /** Number of the first result that is remembered. */
  #first = 0;
  #end = 0;

  /**
   * The next `count` results came of the input records `base + origins[0]`, `base + origins[1]`, …
   * @param origins not changed afterwards; undefined where it is not known
   */
  note(count: number, origins: readonly (number | undefined)[] | undefined, base = 0): void {
    if (count === 0) return;
    this.#batches.push({ count, origins, base });
    this.#end += count;
    let oldest = this.#batches[0] as Noted;
    while (this.#end - this.#first - oldest.count >= mostResults) {
      this.#batches.shift();
      this.#first += oldest.count;
      oldest = this.#batches[0] as Noted;
    }
  }

  /** Number, from 0, of the input record that result number `result` came of; undefined if that is not known any more. */
  originOf(result: number): number | undefined {
    let at = result - this.#first;
    if (at < 0) return undefined;
    for (const { count, origins, base } of this.#batches) {
      if (at < count) {
        const origin = origins?.[at];
        return origin === undefined ? undefined : base + origin;
      }
      at -= count;
    }
    return undefined;
  }
}
