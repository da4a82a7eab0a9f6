import type { SourceReader } from '../../operators/source.ts';

type Answer<Out> = readonly Out[] | null;

/** How splits are read. */
export interface SplitsReaderOptions<Out, Split> {
  readonly open: (split: Split) => Promise<SourceReader<Out>>;
  /** Where a record of a split came from; they are numbered from 0. */
  readonly locate: (split: Split, record: number) => Promise<string | undefined>;
}

/** Reads one split after the other, each with a reader of its own, of which one is open at a time. */
export class SplitsReader<Out, Split> implements SourceReader<Out> {
  readonly #waiting: Split[];
  readonly #options: SplitsReaderOptions<Out, Split>;
  /** Splits that were opened, with the number of the first record of each. */
  readonly #opened: { readonly split: Split; readonly first: number }[] = [];
  #count = 0;
  #reader: SourceReader<Out> | undefined;
  #isClosed = false;

  private constructor(splits: readonly Split[], options: SplitsReaderOptions<Out, Split>) {
    this.#waiting = [...splits];
    this.#options = options;
  }

  /** Opens the first split. */
  static async open<Out, Split>(
    splits: readonly Split[],
    options: SplitsReaderOptions<Out, Split>,
  ): Promise<SplitsReader<Out, Split>> {
    const reader = new SplitsReader(splits, options);
    await reader.#openNext();
    return reader;
  }

  read(maxRecords: number): Answer<Out> | Promise<Answer<Out>> {
    if (this.#reader === undefined) return null;
    const answer = this.#reader.read(maxRecords);
    if (!Array.isArray(answer)) return this.#orNext(answer, maxRecords);
    this.#count += answer.length;
    return answer as readonly Out[];
  }

  async locate(record: number): Promise<string | undefined> {
    const place = this.#opened.findLast(({ first }) => first <= record);
    return place && this.#options.locate(place.split, record - place.first);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#closeReader();
  }

  async #orNext(answer: Answer<Out> | PromiseLike<Answer<Out>>, maxRecords: number): Promise<Answer<Out>> {
    const batch = await answer;
    if (batch !== null) {
      this.#count += batch.length;
      return batch;
    }
    await this.#closeReader();
    await this.#openNext();
    return this.read(maxRecords);
  }

  async #openNext(): Promise<void> {
    const split = this.#waiting.shift();
    if (split === undefined || this.#isClosed) return;
    this.#opened.push({ split, first: this.#count });
    this.#reader = await this.#options.open(split);
    // It may have been closed while this one was opened.
    if (this.#isClosed) await this.#closeReader();
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }
}
