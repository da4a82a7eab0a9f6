/** Number of elements whose origin is stored: more than a chain of operators lags behind. */
const mostArrivals = 1_024;

/** The origin of an element's records. */
interface Arrival {
  /** Number of its first record among all emitted records. */
  readonly first: number;
  readonly channel: number;
  /** Number of its first record in the channel. */
  readonly sequence: number;
}

/** Where the latest records came from. */
export class Arrivals {
  /** Oldest first. */
  readonly #latest: Arrival[] = [];
  #count = 0;

  /** `count` records of a channel were taken, from its record `sequence` on. */
  note(channel: number, sequence: number, count: number): void {
    this.#latest.push({ first: this.#count, channel, sequence });
    if (this.#latest.length >= 2 * mostArrivals) this.#latest.splice(0, mostArrivals);
    this.#count += count;
  }

  /** The channel of record number `record`, and its number there; undefined if that is not known any more. */
  originOf(record: number): { readonly channel: number; readonly sequence: number } | undefined {
    const arrival = this.#latest.findLast(({ first }) => first <= record);
    return arrival && { channel: arrival.channel, sequence: arrival.sequence + record - arrival.first };
  }
}
