import type { Comparison } from '../reproduced/comparison.ts';
import type { Batch } from '../stream-element.ts';
import type { ResultWriter } from './result-writer.ts';

const nothing: Batch = [];

/** Keeps nothing. Compares what is written, if there is something to compare it with. */
export class ComparingWriter implements ResultWriter {
  readonly isWritable = true;
  readonly #comparison: Comparison | undefined;

  constructor(comparison: Comparison | undefined) {
    this.#comparison = comparison;
  }

  waitForRoom(): void {}

  take(subpartition: number, records: Batch): Batch {
    this.#comparison?.take(subpartition, records);
    return nothing;
  }

  /** The rest of what was being written when the result was released. */
  append(subpartition: number, records: Batch): void {
    this.#comparison?.assertNone(subpartition, records);
  }

  finish(done: (error?: Error) => void): void {
    done(this.#comparison?.shortfall());
  }

  /** What came was compared. */
  curtail(done: (error?: Error) => void): void {
    done();
  }

  released(): ResultWriter {
    return this;
  }
}
