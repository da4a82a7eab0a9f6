import type { Batch } from '../partitions/stream-element.ts';
import { Pace } from './pace.ts';
import type { ResultBuffer } from './result-buffer.ts';

const nothing: Batch = [];

/** A batch that is worked on in slices, as long as the results are a few batches. Mostly one slice is all of it. */
export class PacedInput {
  readonly #pace: Pace;
  #records = nothing;
  #at = 0;

  constructor(results: ResultBuffer) {
    this.#pace = new Pace(results);
  }

  get isEmpty(): boolean {
    return this.#at === this.#records.length;
  }

  /** What is still to be worked on. */
  get rest(): Batch {
    return this.#records.slice(this.#at);
  }

  /** Takes a batch. Only when it is empty. */
  push(records: Batch): void {
    this.#records = records;
    this.#at = 0;
  }

  /** Works on what is there until a batch of results is full, or nothing is left. */
  workOn(work: (records: Batch) => void): void {
    this.#pace.workOn(this.#records.length - this.#at, (count) => {
      const isWhole = count === this.#records.length;
      const slice = isWhole ? this.#records : this.#records.slice(this.#at, this.#at + count);
      this.#at += count;
      if (this.isEmpty) this.clear();
      work(slice);
      return true;
    });
  }

  clear(): void {
    this.#records = nothing;
    this.#at = 0;
  }
}
