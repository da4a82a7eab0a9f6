/** Results whose origin is remembered: more than any stage holds on to. */
const mostResults = 16_384;

/** Which records the latest results of a stage came of. Looked at when something has failed. */
export class Lineage {
  #batches: (readonly (number | undefined)[])[] = [];
  /** Number of the first result that is remembered. */
  #first = 0;
  #end = 0;

  /** The next results came of the input records with these numbers; undefined where it is not known. */
  note(origins: readonly (number | undefined)[]): void {
    if (origins.length === 0) return;
    this.#batches.push(origins);
    this.#end += origins.length;
    let oldest = this.#batches[0] as readonly unknown[];
    while (this.#end - this.#first - oldest.length >= mostResults) {
      this.#batches.shift();
      this.#first += oldest.length;
      oldest = this.#batches[0] as readonly unknown[];
    }
  }

  /** Number, from 0, of the input record that result number `result` came of; undefined if that is not known any more. */
  originOf(result: number): number | undefined {
    let at = result - this.#first;
    if (at < 0) return undefined;
    for (const batch of this.#batches) {
      if (at < batch.length) return batch[at];
      at -= batch.length;
    }
    return undefined;
  }
}
