import type { SourceReader } from '../../operators/source.ts';
import type { RestOfSplit } from './file-splits.ts';

type Answer<Out> = readonly Out[] | null;

/** The start of a split, or of the rest of one. */
interface SplitStart {
  readonly start: number;
  /** Number of records in it that were read before. Default: none. */
  readonly skipped?: number;
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
  /** The splits themselves, since positions were divided anew. Absent: those of the plan. */
  readonly own?: readonly RestOfSplit[];
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
   * The opened splits and later rests of them, each with the number of the first record that was read here, of those in it
   * before that, and of the records before which a row was left out.
   */
  readonly #opened: { readonly split: Split; readonly first: number; skipped: number; readonly gaps: number[] }[] = [];
  readonly #own: SplitsPosition['own'];
  /** Rows that the reader has left out. */
  #leftOut = 0;
  /** Number of records read. */
  #count = 0;
  #reader: Reader | undefined;
  #isClosed = false;
  #locating: Promise<unknown> = Promise.resolve();

  private constructor(
    splits: readonly Split[],
    options: SplitsReaderOptions<Out, Split, Reader>,
    own?: SplitsPosition['own'],
  ) {
    this.#splits = splits;
    this.#options = options;
    this.#own = own;
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
    const { split: index, start, skipped, own } = from;
    const reader = new SplitsReader(
      splits.map((split, at) => (at === index ? { ...split, start, skipped } : split)),
      options,
      own,
    );
    reader.#next = index;
    try {
      await reader.#openNext();
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  position(): SplitsPosition {
    const place = this.#opened.at(-1);
    const own = this.#own && { own: this.#own };
    if (this.#reader === undefined || place === undefined) return { split: this.#next, start: 0, skipped: 0, ...own };
    const skipped = place.skipped + this.#count - place.first;
    return { split: this.#next - 1, start: place.split.start, skipped, ...own };
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
    const row = place.skipped + record - place.first + place.gaps.filter((gap) => gap <= record).length;
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
    this.#note();
    this.#count += batch.length;
    return batch;
  }

  /** Notes where the reader is, and what it has left out. */
  #note(): void {
    const { split } = this.#opened.at(-1) as { readonly split: Split };
    const rest = this.#reader && this.#options.restOf?.(split, this.#reader);
    if (rest !== undefined) this.#opened.push({ split: rest, first: this.#count, skipped: 0, gaps: [] });
    const leftOut = this.#reader?.leftOut ?? 0;
    for (; this.#leftOut < leftOut; this.#leftOut++) this.#opened.at(-1)?.gaps.push(this.#count);
  }

  async #openNext(): Promise<void> {
    const split = this.#splits[this.#next];
    if (split === undefined || this.#isClosed) return;
    this.#next++;
    this.#opened.push({ split, first: this.#count, skipped: 0, gaps: [] });
    this.#leftOut = 0;
    this.#reader = await this.#options.open(split);
    // This reader may have been closed while it opened the split.
    if (this.#isClosed) await this.#closeReader();
    await this.#passOver(split.skipped ?? 0);
  }

  /** Reads records again that were read before. */
  async #passOver(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const batch = await this.#reader?.read(left);
      if (batch === null || batch === undefined) return;
      this.#note();
      (this.#opened.at(-1) as { skipped: number }).skipped += batch.length;
      left -= batch.length;
    }
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }
}
