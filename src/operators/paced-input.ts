import type { Clock } from '../environment.ts';
import type { Batch } from '../partitions/stream-element.ts';
import { Pace, type ResultRoom } from './pace.ts';

const nothing: Batch = [];

/** An input batch, processed in slices so that results stay a few batches. Usually one slice is the whole batch. */
export class PacedInput {
  readonly #pace: Pace;
  #records = nothing;
  #at = 0;

  /** @param clock without one, a record takes no time @param warmsUp see {@link Pace} */
  constructor(results: ResultRoom, clock?: Pick<Clock, 'now'>, warmsUp = false) {
    this.#pace = new Pace(results, clock, warmsUp);
  }

  get isEmpty(): boolean {
    return this.#at === this.#records.length;
  }

  /** The unprocessed rest of the batch. */
  get rest(): Batch {
    return this.#records.slice(this.#at);
  }

  /** Takes a batch. Only while empty. */
  push(records: Batch): void {
    this.#records = records;
    this.#at = 0;
  }

  /** Processes the batch until a batch of results is full, the time is over, or no input is left. */
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
