import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { WrittenElement } from '../stream-element.ts';
import { ComparingWriter } from './comparing-writer.ts';
import type { ResultWriter } from './result-writer.ts';
import type { RetainedResult } from './retained-result.ts';

/** Writes what no attempt has produced before: a whole result, or the part after what an earlier attempt wrote. */
export class AppendingWriter implements ResultWriter {
  readonly #result: RetainedResult;
  #state: 'open' | 'finishing' | 'finished' | 'failed' = 'open';

  constructor(result: RetainedResult) {
    this.#result = result;
  }

  /** Whether its end is still to come. */
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

  /** @throws what went wrong on the disk, if the result is needed, or IllegalStateError after the end */
  assertOpen(): void {
    if (!this.isOpen) {
      const { partition } = this.#result.id;
      throw new IllegalStateError(`An element was written to partition ${partition}, which is ${this.#state}`);
    }
    const { failure } = this.#result.elements.file;
    if (failure !== undefined && this.#result.isNeeded) throw failure;
  }
}
