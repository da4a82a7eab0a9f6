import type { ResultBuffer } from './result-buffer.ts';

/** By how much a step may be longer than the last. */
const growth = 4;

/** Batches of results that may come of one step before the next is shorter. */
const mostBatches = 4;

/**
 * How much is worked on at once, so that what comes of it is a few batches of results: a record may become many, or a
 * large one, and not all of that shall be there at once. Begins with one record.
 */
export class Pace {
  readonly #results: ResultBuffer;
  #most = 1;
  /** Worked on since it last learned. */
  #worked = 0;
  #batchesBefore = 0;

  constructor(results: ResultBuffer) {
    this.#results = results;
  }

  /**
   * Works in steps until a batch of results is full, or there is nothing left.
   *
   * @param work does so many, and says whether there may be more
   */
  workOn(count: number, work: (count: number) => boolean): void {
    if (this.#results.isEmpty) this.#learn();
    for (let left = count; left > 0; ) {
      const step = Math.min(this.#most, left);
      left -= step;
      this.#worked += step;
      if (!work(step) || left === 0 || !this.#results.hasRoom) return;
      this.#most *= growth;
    }
  }

  /** Looks how many batches came of what was worked on before. */
  #learn(): void {
    const { batchesTaken } = this.#results;
    const batches = batchesTaken - this.#batchesBefore;
    if (batches > mostBatches) this.#most = Math.max(1, Math.floor((2 * this.#worked) / batches));
    else this.#most = Math.max(this.#most, this.#worked * growth);
    this.#worked = 0;
    this.#batchesBefore = batchesTaken;
  }
}
