import type { SourceReader } from '../../operators/source.ts';

type Answer<Out> = readonly Out[] | null;

/** The start of a split, or of the rest of one. */
interface SplitStart {
  readonly start: number;
}

/** A reader that may leave out rows. It answers with the records before such a row first, and then with none. */
export interface LeavingReader {
  /** How many rows it has left out. */
  readonly leftOut?: number;
}

/** How to read splits. */
export interface SplitsReaderOptions<Out, Split, Reader extends SourceReader<Out> & LeavingReader = SourceReader<Out>> {
  readonly open: (split: Split) => Promise<Reader>;
  /**
   * The rest of a split from the reader's current position; undefined if that has not moved since the last call. It
   * locates a record without reading the whole split again.
   */
  readonly restOf?: (split: Split, reader: Reader) => Split | undefined;
  /** The origin of a row of a split, for messages. Rows are numbered from 0, those included that were left out. */
  readonly locate: (split: Split, row: number) => Promise<string | undefined>;
}

/** A position in the splits of a subtask. Plain data. */
export interface SplitsPosition {
  /** Index of the split; the number of splits at the end. */
  readonly split: number;
  /** Start of the rest of that split that has to be read again. */
  readonly start: number;
  /** Number of records in that rest before the position. */
  readonly skipped: number;
}

/** Reads one split after the other. Each split has its own reader; one is open at a time. */
export class SplitsReader<Out, Split extends SplitStart, Reader extends SourceReader<Out> & LeavingReader>
  implements SourceReader<Out>
{
  readonly #splits: readonly Split[];
  /** Index of the next split to open. */
  #next = 0;
  readonly #options: SplitsReaderOptions<Out, Split, Reader>;
  /**
   * The opened splits and later rests of them, each with the number of its first record, and of the records before which a
   * row was left out.
   */
  readonly #opened: { readonly split: Split; readonly first: number; readonly gaps: number[] }[] = [];
  /** Rows that the reader has left out. */
  #leftOut = 0;
  /** Number of records read; negative while the records before the starting position are skipped. */
  #count = 0;
  #reader: Reader | undefined;
  #isClosed = false;
  #locating: Promise<unknown> = Promise.resolve();

  private constructor(splits: readonly Split[], options: SplitsReaderOptions<Out, Split, Reader>) {
    this.#splits = splits;
    this.#options = options;
  }

  /** Opens the first split, or the one that contains `from`, and reads up to that position. */
  static async open<Out, Split extends SplitStart, Reader extends SourceReader<Out> & LeavingReader>(
    splits: readonly Split[],
    options: SplitsReaderOptions<Out, Split, Reader>,
    from?: SplitsPosition,
  ): Promise<SplitsReader<Out, Split, Reader>> {
    if (from === undefined) {
      const reader = new SplitsReader(splits, options);
      await reader.#openNext();
      return reader;
    }
    const { split: index, start, skipped } = from;
    const reader = new SplitsReader(
      splits.map((split, at) => (at === index ? { ...split, start } : split)),
      options,
    );
    reader.#next = index;
    reader.#count = -skipped;
    await reader.#openNext();
    await reader.#passOver();
    return reader;
  }

  position(): SplitsPosition {
    const place = this.#opened.at(-1);
    if (this.#reader === undefined || place === undefined) return { split: this.#next, start: 0, skipped: 0 };
    return { split: this.#next - 1, start: place.split.start, skipped: this.#count - place.first };
  }

  read(maxRecords: number): Answer<Out> | Promise<Answer<Out>> {
    if (this.#reader === undefined) return null;
    const answer = this.#reader.read(maxRecords);
    if (!Array.isArray(answer)) return this.#orNext(answer, maxRecords);
    return this.#counted(answer as readonly Out[]);
  }

  /** One after the other: a task that fails may ask while a dead letter is located. */
  locate(record: number): Promise<string | undefined> {
    const located = this.#locating.then(() => this.#locate(record));
    this.#locating = located.catch(() => undefined);
    return located;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#closeReader();
  }

  async #locate(record: number): Promise<string | undefined> {
    const place = this.#opened.findLast(({ first }) => first <= record);
    if (place === undefined) return undefined;
    const row = record - place.first + place.gaps.filter((gap) => gap <= record).length;
    return this.#options.locate(place.split, row);
  }

  async #orNext(answer: Answer<Out> | PromiseLike<Answer<Out>>, maxRecords: number): Promise<Answer<Out>> {
    const batch = await answer;
    if (batch !== null) return this.#counted(batch);
    await this.#closeReader();
    await this.#openNext();
    return this.read(maxRecords);
  }

  #counted(batch: readonly Out[]): readonly Out[] {
    const { split } = this.#opened.at(-1) as { readonly split: Split };
    const rest = this.#reader && this.#options.restOf?.(split, this.#reader);
    if (rest !== undefined) this.#opened.push({ split: rest, first: this.#count, gaps: [] });
    const leftOut = this.#reader?.leftOut ?? 0;
    for (; this.#leftOut < leftOut; this.#leftOut++) this.#opened.at(-1)?.gaps.push(this.#count);
    this.#count += batch.length;
    return batch;
  }

  async #openNext(): Promise<void> {
    const split = this.#splits[this.#next];
    if (split === undefined || this.#isClosed) return;
    this.#next++;
    this.#opened.push({ split, first: this.#count, gaps: [] });
    this.#leftOut = 0;
    this.#reader = await this.#options.open(split);
    // This reader may have been closed while it opened the split.
    if (this.#isClosed) await this.#closeReader();
  }

  async #passOver(): Promise<void> {
    try {
      while (this.#count < 0) if ((await this.read(-this.#count)) === null) return;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }
}
