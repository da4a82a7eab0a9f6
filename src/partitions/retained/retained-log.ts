import type { WrittenElement } from '../stream-element.ts';

/**
 * The place of an element in a log, and the element: in memory, in the file, or in both; in neither until it is produced
 * again.
 */
export interface LogEntry {
  /** Records of the subpartition before it. */
  readonly sequence: number;
  /** Its records; 0 for a mark. */
  readonly count: number;
  element: WrittenElement | undefined;
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
  /** Index of the entry that it will take next. */
  readonly position: number;
  /** Whether everything was read. */
  readonly isComplete: boolean;
  /** There is more to read, or the end is known. */
  advance(): void;
  /** What it reads is gone. */
  lose(error: Error): void;
}

/**
 * The elements of one subpartition, numbered from 0 as they were written, and their readers.
 *
 * Invariants:
 * - RL1 Only what every live reader has taken can be dropped, oldest first; nothing can while nobody reads, and everything
 *   when the reader was dismissed.
 * - RL2 A reader finds every element from where it starts, marks included, or does not start.
 * - RL3 Elements that are not there (dropped, or lost and not yet produced again) hold a reader up; it sees no gap.
 */
export class RetainedLog {
  readonly subpartition: number;
  readonly #readers = new Set<LogReader>();
  #entries: (LogEntry | undefined)[] = [];
  /** Entries before it were dropped. */
  #first = 0;
  /** Entries whose places are no longer kept either. */
  #forgotten = 0;
  /** The first entry from `#first` on whose element is not there; the length if all are. */
  #gap = 0;
  #lastMarkDropped = -1;
  #recordCount = 0;
  #isReadToEnd = false;
  #isDismissed = false;

  constructor(subpartition: number) {
    this.subpartition = subpartition;
  }

  /** Elements that were ever written. */
  get length(): number {
    return this.#forgotten + this.#entries.length;
  }

  /** Records that were ever written. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Elements that are gone. */
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

  /** Sequence of the last mark that was dropped: a reader from there on would miss it. -1 if none was. */
  get lastMarkDropped(): number {
    return this.#lastMarkDropped;
  }

  /** Elements that the slowest reader could take and has not. */
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

  append(entry: LogEntry): void {
    if (this.#gap === this.length) this.#gap++;
    this.#entries.push(entry);
    this.#recordCount += entry.count;
    this.#isReadToEnd = false;
  }

  entryAt(index: number): LogEntry | undefined {
    return this.#entries[index - this.#forgotten];
  }

  /**
   * The first entry that is not before record `sequence`: the marks right before that record, or the batch that holds it; the
   * length if all of that is still to come. O(log entries).
   */
  indexOf(sequence: number): number {
    let [low, high] = [this.#forgotten, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { sequence: start, count } = this.entryAt(middle) ?? { sequence: 0, count: 0 };
      if (count === 0 ? start < sequence : start + count <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** RL1. The oldest element, which is kept no longer; undefined if it is still needed. Its place is kept if `asPlace`. */
  dropFirst(asPlace: boolean): LogEntry | undefined {
    if (this.#first >= this.position) return undefined;
    const entry = this.entryAt(this.#first);
    if (!asPlace) this.#entries[this.#first - this.#forgotten] = undefined;
    this.#first++;
    this.#noteDropped(entry);
    this.#findGap();
    if (asPlace) return entry;
    // Cut off once it is as long as the rest, so that an entry is moved about once.
    const gone = this.#first - this.#forgotten;
    if (gone * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(gone);
      this.#forgotten = this.#first;
    }
    return entry;
  }

  /** The element that was missing is there again. */
  noteFilled(): void {
    this.#findGap();
    this.advance();
  }

  /** Everything up to entry `end` is dropped: the result will not be complete again. Returns what was there of it. */
  skipTo(end: number): LogEntry[] {
    const skipped: LogEntry[] = [];
    for (; this.#first < end; this.#first++) {
      const entry = this.entryAt(this.#first);
      this.#noteDropped(entry);
      if (entry !== undefined) skipped.push(entry);
    }
    this.#findGap();
    return skipped;
  }

  /** It is produced again from the beginning: what was dropped may come back, and so may who has read it to the end. */
  restart(): void {
    this.#isReadToEnd = false;
    this.#first = this.#forgotten;
    this.#lastMarkDropped = -1;
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
    this.#entries = [];
  }

  /** Every entry that is kept, with its element or without. */
  *kept(): Iterable<LogEntry> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry;
  }

  #noteDropped(entry: LogEntry | undefined): void {
    if (entry?.count === 0) this.#lastMarkDropped = entry.sequence;
  }

  #findGap(): void {
    this.#gap = Math.max(this.#gap, this.#first);
    while (this.#gap < this.length && isThere(this.entryAt(this.#gap))) this.#gap++;
  }
}

/** Whether an element can be had: from memory at once, or from the file. */
function isThere(entry: LogEntry | undefined): boolean {
  return entry?.element !== undefined || entry?.written !== undefined;
}
