/** Number of results whose origin is stored: more than any stage retains. */
const mostResults = 16_384;

/** The origins of one batch of results. */
interface Noted {
  readonly count: number;
  /** By result: number of its input record, relative to `base`; undefined if unknown. */
  readonly origins: readonly (number | undefined)[] | undefined;
  readonly base: number;
}

/** The input records behind the latest results of a stage. Read only after a failure, and cheap until then. */
export class Lineage {
  #batches: Noted[] = [];
  /** Number of the first result with a stored origin. */
  #first = 0;
  #end = 0;

  /**
   * Records that the next `count` results came from the input records `base + origins[0]`, `base + origins[1]`, …
   * @param origins must not change afterwards; undefined if unknown
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

  /** The number, from 0, of the input record that produced result number `result`; undefined if no longer known. */
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
