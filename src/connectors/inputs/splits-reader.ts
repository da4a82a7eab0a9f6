import type { SourceReader } from '../../operators/source.ts';

type Answer<Out> = readonly Out[] | null;

/** Reads one split after the other, each with a reader of its own, of which one is open at a time. */
export class SplitsReader<Out, Split> implements SourceReader<Out> {
  readonly #waiting: Split[];
  readonly #open: (split: Split) => Promise<SourceReader<Out>>;
  #reader: SourceReader<Out> | undefined;
  #isClosed = false;

  private constructor(splits: readonly Split[], open: (split: Split) => Promise<SourceReader<Out>>) {
    this.#waiting = [...splits];
    this.#open = open;
  }

  /** Opens the first split. */
  static async open<Out, Split>(
    splits: readonly Split[],
    open: (split: Split) => Promise<SourceReader<Out>>,
  ): Promise<SplitsReader<Out, Split>> {
    const reader = new SplitsReader(splits, open);
    await reader.#openNext();
    return reader;
  }

  read(maxRecords: number): Answer<Out> | Promise<Answer<Out>> {
    if (this.#reader === undefined) return null;
    const answer = this.#reader.read(maxRecords);
    return Array.isArray(answer) ? (answer as readonly Out[]) : this.#orNext(answer, maxRecords);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#closeReader();
  }

  async #orNext(answer: Answer<Out> | PromiseLike<Answer<Out>>, maxRecords: number): Promise<Answer<Out>> {
    const batch = await answer;
    if (batch !== null) return batch;
    await this.#closeReader();
    await this.#openNext();
    return this.read(maxRecords);
  }

  async #openNext(): Promise<void> {
    const split = this.#waiting.shift();
    if (split === undefined || this.#isClosed) return;
    this.#reader = await this.#open(split);
    // It may have been closed while this one was opened.
    if (this.#isClosed) await this.#closeReader();
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }
}
