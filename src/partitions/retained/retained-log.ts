import type { Barrier, WrittenElement } from '../stream-element.ts';

/** An element of a log and its place: in memory, in the file, or in both; in neither until it is reproduced. */
export interface LogEntry {
  /** Number of records before it in the subpartition. */
  readonly sequence: number;
  /** Number of its records; 0 for a mark. */
  readonly count: number;
  /** Itself, if it is a barrier. */
  readonly barrier: Barrier | undefined;
  element: WrittenElement | undefined;
  /** Bytes that it has reserved of the memory budget. */
  reservedBytes: number;
  /** Its place in the file, once written. */
  written: { readonly offset: number; readonly bytes: number } | undefined;
  /** Its frame, if that is in memory besides. */
  copy: Uint8Array | undefined;
  /** Checksum of its frame, once computed. */
  checksum: number | undefined;
}

/** A reader of a log. */
export interface LogReader {
  /** Whether it has a subscriber. */
  readonly isReading: boolean;
  /** Index of the next entry to take. */
  readonly position: number;
  /** Whether it has read everything. */
  readonly isComplete: boolean;
  /** There is more to read, or the end is known. */
  advance(): void;
  /** The data is lost. */
  lose(error: Error): void;
}

/**
 * The elements of one subpartition, numbered from 0 in writing order, and their readers. Its records are numbered from the
 * first one of the first attempt, even if it begins with a later one.
 *
 * Invariants:
 * - RL1 Only elements that every live reader has taken can be dropped, oldest first: none without a reader, and all
 *   once the reader was dismissed.
 * - RL2 A reader gets every element from its start on, including marks, or it does not start.
 * - RL3 A reader waits at a missing element (dropped, or lost and not yet reproduced) and never skips it.
 */
export class RetainedLog {
  readonly subpartition: number;
  readonly #readers = new Set<LogReader>();
  #entries: (LogEntry | undefined)[] = [];
  /** Number of dropped entries at the beginning. */
  #first = 0;
  /** Number of entries at the beginning that are no longer listed. */
  #forgotten = 0;
  /** The first entry from `#first` on whose element is missing; the length if none is. */
  #gap = 0;
  #lastMarkDropped = -1;
  #recordCount = 0;
  #isReadToEnd = false;
  #isDismissed = false;

  /** Number of the record with which it begins. */
  readonly firstRecord: number;

  constructor(subpartition: number, firstRecord = 0) {
    this.subpartition = subpartition;
    this.firstRecord = firstRecord;
    this.#recordCount = firstRecord;
  }

  /** Number of elements ever written. */
  get length(): number {
    return this.#forgotten + this.#entries.length;
  }

  /** Number of the next record to be written. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Index of the first element that was not dropped. */
  get first(): number {
    return this.#first;
  }

  /** The position that every live reader has reached; without a reader, the beginning. */
  get position(): number {
    if (this.#isDismissed) return this.length;
    if (!this.isRead) return this.#isReadToEnd ? this.length : this.#first;
    let position = this.length;
    for (const reader of this.#readers) if (reader.isReading) position = Math.min(position, reader.position);
    return position;
  }

  /** Sequence of the last dropped mark, which a reader from there on would miss; -1 if none was dropped. */
  get lastMarkDropped(): number {
    return this.#lastMarkDropped;
  }

  /** Number of elements that the slowest reader could take and has not. */
  get lead(): number {
    return this.#gap - this.position;
  }

  /** Whether entries at the beginning are no longer listed. */
  get isForgotten(): boolean {
    return this.#forgotten > 0 || (this.length > 0 && this.#entries[0] === undefined);
  }

  /** Number of the first record of an entry that is still listed; that of the next one to be written if none is. */
  get firstListed(): number {
    for (const { sequence } of this.kept()) return sequence;
    return this.#recordCount;
  }

  /** Whether its reader was dismissed, and no other was opened since. */
  get isDismissed(): boolean {
    return this.#isDismissed;
  }

  /** Whether it has a reader now. */
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
   * The first entry at or after record `sequence`: the marks right before that record, or the batch that contains it;
   * the length if it is not written yet. O(log entries).
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

  /**
   * RL1. Removes and returns the oldest element; undefined if it is still needed. With `asPlace`, its entry stays
   * listed.
   */
  dropFirst(asPlace: boolean): LogEntry | undefined {
    if (this.#first >= this.position) return undefined;
    const entry = this.entryAt(this.#first);
    if (!asPlace) this.#entries[this.#first - this.#forgotten] = undefined;
    this.#first++;
    this.#noteDropped(entry);
    this.#findGap();
    if (!asPlace) this.#trim(this.#first);
    return entry;
  }

  /** Removes and returns everything before entry `end` that no live reader is still to take: later ones begin there. */
  forgetTo(end: number): LogEntry[] {
    const last = this.isRead ? Math.min(end, this.position) : end;
    const gone: LogEntry[] = [];
    for (let index = this.#forgotten; index < last; index++) {
      const entry = this.entryAt(index);
      this.#entries[index - this.#forgotten] = undefined;
      if (index >= this.#first) this.#noteDropped(entry);
      if (entry !== undefined) gone.push(entry);
    }
    this.#first = Math.max(this.#first, last);
    this.#findGap();
    this.#trim(last);
    return gone;
  }

  /** A missing element is present again. */
  noteFilled(): void {
    this.#findGap();
    this.advance();
  }

  /** Drops everything before entry `end`: the result will not be complete again. Yields the dropped entries. */
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

  /**
   * The result is reproduced from the beginning: dropped elements may come back, and so may a reader that has read to
   * the end.
   */
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

  /** Its reader was dismissed. */
  dismiss(): void {
    this.#isDismissed = true;
  }

  /** Another reader may be opened. */
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

  /** Tells the readers that the data is lost. */
  lose(error: Error): void {
    for (const reader of [...this.#readers]) reader.lose(error);
    this.#readers.clear();
    this.#entries = [];
  }

  /** Every listed entry, with or without its element. */
  *kept(): Iterable<LogEntry> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry;
  }

  /**
   * Everything before entry `end` was removed: once that is as long as the rest, it is no longer listed, so that each
   * entry is moved about once.
   */
  #trim(end: number): void {
    const gone = end - this.#forgotten;
    if (gone * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.slice(gone);
    this.#forgotten = end;
  }

  #noteDropped(entry: LogEntry | undefined): void {
    if (entry?.count === 0) this.#lastMarkDropped = entry.sequence;
  }

  #findGap(): void {
    this.#gap = Math.max(this.#gap, this.#first);
    while (this.#gap < this.length && isThere(this.entryAt(this.#gap))) this.#gap++;
  }
}

/** Whether an element is readable: from memory at once, or from the file. */
function isThere(entry: LogEntry | undefined): boolean {
  return entry?.element !== undefined || entry?.written !== undefined;
}
