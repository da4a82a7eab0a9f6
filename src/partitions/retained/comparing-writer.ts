import type { Comparison } from '../reproduced/comparison.ts';
import type { WrittenElement } from '../stream-element.ts';
import type { ResultWriter } from './result-writer.ts';

/** Keeps nothing. Compares what is written, if there is something to compare it with. */
export class ComparingWriter implements ResultWriter {
  readonly isWritable = true;
  readonly #comparison: Comparison | undefined;

  constructor(comparison: Comparison | undefined) {
    this.#comparison = comparison;
  }

  waitForRoom(): void {}

  take(subpartition: number, element: WrittenElement): undefined {
    this.#comparison?.take(subpartition, element);
  }

  /** The rest of what was being written when the result was released. */
  append(subpartition: number, element: WrittenElement): void {
    this.#comparison?.refuse(subpartition, element);
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
