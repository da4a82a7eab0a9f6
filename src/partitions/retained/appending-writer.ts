import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { WrittenElement } from '../stream-element.ts';
import { ComparingWriter } from './comparing-writer.ts';
import type { ResultWriter } from './result-writer.ts';
import type { RetainedResult } from './retained-result.ts';

/** Writes output that no earlier attempt produced: a whole result, or the part after the output of earlier attempts. */
export class AppendingWriter implements ResultWriter {
  readonly #result: RetainedResult;
  #state: 'open' | 'finishing' | 'finished' | 'failed' = 'open';

  constructor(result: RetainedResult) {
    this.#result = result;
  }

  /** Whether it has not ended. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isWritable(): boolean {
    return this.#result.elements.hasRoom || !this.#result.isNeeded;
  }

  waitForRoom(): void {
    if (this.isOpen && this.#result.isNeeded) this.#result.elements.waitForRoom();
  }

  take(_: number, element: WrittenElement): WrittenElement {
    this.assertOpen();
    return element;
  }

  append(subpartition: number, element: WrittenElement): void {
    if (this.#result.isNeeded) this.#result.elements.append(subpartition, element);
    else this.#result.cut();
  }

  finish(done: (error?: Error) => void): void {
    if (this.#result.isCut) {
      done();
      return;
    }
    this.#state = 'finishing';
    this.#result.complete((failure) => {
      this.#state = failure === undefined ? 'finished' : 'failed';
      done(failure);
    });
  }

  /** RP5. */
  curtail(done: (error?: Error) => void): void {
    this.#result.cut();
    done();
  }

  released(): ResultWriter {
    return new ComparingWriter(undefined);
  }

  /** @throws the disk's error, if the result is needed; or IllegalStateError after the end */
  assertOpen(): void {
    if (!this.isOpen) {
      const { partition } = this.#result.id;
      throw new IllegalStateError(`An element was written to partition ${partition}, which is ${this.#state}`);
    }
    const { failure } = this.#result.elements.file;
    if (failure !== undefined && this.#result.isNeeded) throw failure;
  }
}
