import type { Comparison } from '../reproduced/comparison.ts';
import type { WrittenElement } from '../stream-element.ts';
import type { ResultWriter } from './result-writer.ts';

/** Stores nothing. Compares the output with a trace, if there is one. */
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

  /** The rest of the element that was being written when the result was released. */
  append(subpartition: number, element: WrittenElement): void {
    this.#comparison?.refuse(subpartition, element);
  }

  finish(done: (error?: Error) => void): void {
    done(this.#comparison?.shortfall());
  }

  /** Everything written so far was compared. */
  curtail(done: (error?: Error) => void): void {
    done();
  }

  released(): ResultWriter {
    return this;
  }
}
