import type { Batch } from '../stream-element.ts';

/**
 * A batch of which at least the place is kept: its records, or where they are in the file, or both; or neither, until they
 * are produced again.
 */
export interface RetainedBatch {
  /** Number of its first record in the subpartition, from 0. */
  readonly sequence: number;
  readonly count: number;
  records: Batch | undefined;
  /** What it has reserved of the memory budget. */
  reservedBytes: number;
  /** Where it is in the file, once it was written. */
  written: { readonly offset: number; readonly bytes: number } | undefined;
  /** Checksum of its frame, once it had one. */
  checksum: number | undefined;
}

/** Who reads a log. */
export interface LogReader {
  /** Whether somebody listens. */
  readonly isReading: boolean;
  /** The batch that it will take next. */
  readonly position: number;
  /** Whether everything was read. */
  readonly isComplete: boolean;
  /** There is more to read, or the end is known. */
  advance(): void;
  /** What it reads is gone. */
  lose(error: Error): void;
}

/**
 * The batches of one subpartition that are kept, numbered from 0 as they were written, and who reads them.
 *
 * Invariants:
 * - RL1 Only what every live reader has taken can be dropped, oldest first; nothing can while nobody reads, and everything
 *   when the reader was dismissed.
 * - RL2 A reader finds every batch from where it starts, or does not start.
 * - RL3 Batches that are not there (dropped, or lost and not yet produced again) hold a reader up; it sees no gap.
 */
export class RetainedLog {
  readonly subpartition: number;
  readonly #readers = new Set<LogReader>();
  #batches: (RetainedBatch | undefined)[] = [];
  /** Batches before it were dropped. */
  #first = 0;
  /** Batches whose places are no longer kept either. */
  #forgotten = 0;
  /** The first batch from `#first` on that is not there; the length if all are. */
  #gap = 0;
  #recordCount = 0;
  #isReadToEnd = false;
  #isDismissed = false;

  constructor(subpartition: number) {
    this.subpartition = subpartition;
  }

  /** Batches that were ever written. */
  get length(): number {
    return this.#forgotten + this.#batches.length;
  }

  /** Records that were ever written. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Batches that are gone. */
  get first(): number {
    return this.#first;
  }

  /** Up to where every live reader has read; the beginning while nobody reads. */
  get position(): number {
    if (this.#isDismissed) return this.length;
    if (!this.isRead) return this.#isReadToEnd ? this.length : this.#first;
    let position = this.length;
    for (const reader of this.#readers) if (reader.isReading) position = Math.min(position, reader.position);
    return position;
  }

  /** Batches that the slowest reader could take and has not. */
  get lead(): number {
    return this.#gap - this.position;
  }

  /** Whether its reader needs nothing more, and no other has come. */
  get isDismissed(): boolean {
    return this.#isDismissed;
  }

  /** Whether somebody reads it now. */
  get isRead(): boolean {
    for (const reader of this.#readers) if (reader.isReading) return true;
    return false;
  }

  append(batch: RetainedBatch): void {
    if (this.#gap === this.length) this.#gap++;
    this.#batches.push(batch);
    this.#recordCount += batch.count;
    this.#isReadToEnd = false;
  }

  batchAt(index: number): RetainedBatch | undefined {
    return this.#batches[index - this.#forgotten];
  }

  /** The batch that holds record `sequence`; the length if it is still to come. O(log batches). */
  indexOf(sequence: number): number {
    let [low, high] = [this.#forgotten, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { sequence: start, count } = this.batchAt(middle) ?? { sequence: 0, count: 0 };
      if (start + count <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** RL1. The oldest batch, which is kept no longer; undefined if it is still needed. Its place is kept if `asPlace`. */
  dropFirst(asPlace: boolean): RetainedBatch | undefined {
    if (this.#first >= this.position) return undefined;
    const batch = this.batchAt(this.#first);
    if (!asPlace) this.#batches[this.#first - this.#forgotten] = undefined;
    this.#first++;
    this.#findGap();
    if (asPlace) return batch;
    // Cut off once it is as long as the rest, so that a batch is moved about once.
    const gone = this.#first - this.#forgotten;
    if (gone * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(gone);
      this.#forgotten = this.#first;
    }
    return batch;
  }

  /** The batch that was missing is there again. */
  noteFilled(): void {
    this.#findGap();
    this.advance();
  }

  /** Everything up to batch `end` is dropped: the result will not be complete again. Returns what was there of it. */
  skipTo(end: number): RetainedBatch[] {
    const skipped: RetainedBatch[] = [];
    for (; this.#first < end; this.#first++) {
      const batch = this.batchAt(this.#first);
      if (batch !== undefined) skipped.push(batch);
    }
    this.#findGap();
    return skipped;
  }

  /** It is produced again from the beginning: what was dropped may come back, and so may who has read it to the end. */
  restart(): void {
    this.#isReadToEnd = false;
    this.#first = this.#forgotten;
    this.#gap = this.#first;
    this.#findGap();
  }

  attach(reader: LogReader): void {
    this.#readers.add(reader);
  }

  /** Its reader needs nothing more. */
  dismiss(): void {
    this.#isDismissed = true;
  }

  /** Another reader may come. */
  expectReader(): void {
    this.#isDismissed = false;
  }

  detach(reader: LogReader): void {
    this.#readers.delete(reader);
    if (reader.isComplete) this.#isReadToEnd = true;
  }

  /** Tells the readers that there is more, or that the end is known. */
  advance(): void {
    for (const reader of [...this.#readers]) reader.advance();
  }

  /** Tells the readers that what they read is gone. */
  lose(error: Error): void {
    for (const reader of [...this.#readers]) reader.lose(error);
    this.#readers.clear();
    this.#batches = [];
  }

  /** Every batch of which something is kept. */
  *kept(): Iterable<RetainedBatch> {
    for (const batch of this.#batches) if (batch !== undefined) yield batch;
  }

  #findGap(): void {
    this.#gap = Math.max(this.#gap, this.#first);
    while (this.#gap < this.length && isThere(this.batchAt(this.#gap))) this.#gap++;
  }
}

/** Whether a batch can be had: from memory at once, or from the file. */
function isThere(batch: RetainedBatch | undefined): boolean {
  return batch?.records !== undefined || batch?.written !== undefined;
}
