/** Where results go, as far as the pace depends on it. */
export interface ResultRoom {
  /** Whether all results of earlier steps were taken. */
  readonly isEmpty: boolean;
  /** Total number of batches taken. */
  readonly batchesTaken: number;
  /** Whether it holds less than a batch. */
  readonly hasRoom: boolean;
}

/** Maximum growth of a step over the last one. */
const growth = 4;

/** Batches of results per step above which the next step is shorter. */
const mostBatches = 4;

/**
 * Adapts how many records to process at once, so that each step yields a few batches of results. A record may expand
 * into many records, or a large one, and not all of them should be in memory at once. Begins with one record.
 */
export class Pace {
  readonly #results: ResultRoom;
  #most = 1;
  /** Records processed since the last adaptation. */
  #worked = 0;
  #batchesBefore = 0;

  constructor(results: ResultRoom) {
    this.#results = results;
  }

  /**
   * Works in steps until a batch of results is full, or no input is left.
   *
   * @param work processes `count` records; returns whether there may be more
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

  /** Adapts to the number of batches that the last steps yielded. */
  #learn(): void {
    const { batchesTaken } = this.#results;
    const batches = batchesTaken - this.#batchesBefore;
    if (batches > mostBatches) this.#most = Math.max(1, Math.floor((2 * this.#worked) / batches));
    else this.#most = Math.max(this.#most, this.#worked * growth);
    this.#worked = 0;
    this.#batchesBefore = batchesTaken;
  }
}
