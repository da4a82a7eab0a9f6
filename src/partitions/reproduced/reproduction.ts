import { type Barrier, type Batch, elementOf, type WrittenElement } from '../stream-element.ts';

/** The elements of the earlier output, by subpartition. */
export interface ProducedBefore {
  /** Number of elements in a subpartition when the reproduction began. */
  elementCount(subpartition: number): number;
  /** Number of records in an element; 0 for a mark. */
  recordCount(subpartition: number, index: number): number;
  /** The barrier that an element is; undefined for other elements. Default: none is one. */
  barrierAt?(subpartition: number, index: number): Barrier | undefined;
}

/**
 * Called with each completely reproduced element, and with any other element in its place: a mark instead of records,
 * or records instead of a mark. May throw.
 */
export type CompareElement = (subpartition: number, index: number, again: WrittenElement) => void;

/** Where an attempt begins. */
export interface ReproductionStart {
  /** Index of the first element of which all records come again. */
  readonly element: number;
  /** Number of records before that one, which come too. They are not compared. */
  readonly restOfBatch: number;
}

/** The progress in one subpartition. */
interface Cursor {
  /** Number of records that come first and are not compared. */
  unchecked: number;
  /** Index of the next element. */
  next: number;
  /** Records that do not complete the next batch yet. */
  pending: Batch;
}

const nothing: Batch = [];

const fromTheBeginning: ReproductionStart = { element: 0, restOfBatch: 0 };

/**
 * Follows an attempt that reproduces an earlier output, and cuts its records into the earlier batches, so batch sizes
 * do not matter. A mark must come after the same record as before, except barriers: those of the earlier output count as reproduced where
 * they are, and those of the attempt are not compared.
 */
export class Reproduction {
  #before: ProducedBefore;
  #compare: CompareElement;
  readonly #cursors: Cursor[] = [];
  readonly #starts: readonly ReproductionStart[];

  /** @param starts by subpartition: the element with which the attempt begins; default: the first */
  constructor(before: ProducedBefore, compare: CompareElement, starts: readonly ReproductionStart[] = []) {
    this.#before = before;
    this.#compare = compare;
    this.#starts = starts;
  }

  /** Continues from the current position, even during a {@link take}, with another description of the same elements. */
  goOn(before: ProducedBefore, compare: CompareElement): void {
    this.#before = before;
    this.#compare = compare;
  }

  /** Takes a written element; returns the part beyond the earlier output, undefined if there is none. */
  take(subpartition: number, element: WrittenElement): WrittenElement | undefined {
    const cursor = this.#cursorOf(subpartition);
    if (cursor.unchecked > 0 && element.kind === 'records') {
      const { records } = element;
      const count = Math.min(cursor.unchecked, records.length);
      cursor.unchecked -= count;
      return count === records.length ? undefined : this.take(subpartition, elementOf(records.slice(count)));
    }
    this.#passBarriers(subpartition, cursor);
    if (cursor.next >= this.#before.elementCount(subpartition)) return element;
    if (element.kind === 'records') return this.#takeRecords(subpartition, cursor, element.records);
    // Pending records come before the mark, but the earlier batch had more: they are compared with it, and differ.
    this.#compare(subpartition, cursor.next++, element);
    return undefined;
  }

  /**
   * The next element to reproduce in a subpartition, and how many of its records were reproduced. Undefined if none
   * is left.
   */
  missing(subpartition: number): { readonly index: number; readonly produced: number } | undefined {
    const cursor = this.#cursorOf(subpartition);
    this.#passBarriers(subpartition, cursor);
    const { next, pending } = cursor;
    return next >= this.#before.elementCount(subpartition) ? undefined : { index: next, produced: pending.length };
  }

  #cursorOf(subpartition: number): Cursor {
    const { element, restOfBatch } = this.#starts[subpartition] ?? fromTheBeginning;
    return (this.#cursors[subpartition] ??= { next: element, pending: nothing, unchecked: restOfBatch });
  }

  /** Barriers of the earlier output that are next are reproduced by being there. */
  #passBarriers(subpartition: number, cursor: Cursor): void {
    if (cursor.pending.length > 0 || cursor.unchecked > 0) return;
    while (cursor.next < this.#before.elementCount(subpartition)) {
      const barrier = this.#before.barrierAt?.(subpartition, cursor.next);
      if (barrier === undefined) return;
      this.#compare(subpartition, cursor.next++, barrier);
    }
  }

  #takeRecords(subpartition: number, cursor: Cursor, records: Batch): WrittenElement | undefined {
    const end = this.#before.elementCount(subpartition);
    const all = cursor.pending.length === 0 ? records : [...cursor.pending, ...records];
    cursor.pending = nothing;
    let at = 0;
    while (cursor.next < end && at < all.length) {
      // If the earlier element is a mark, it has no records: these are compared with it, and differ.
      const next = at + this.#before.recordCount(subpartition, cursor.next);
      if (next > all.length) {
        cursor.pending = all.slice(at);
        return undefined;
      }
      const again = at === 0 && next === all.length ? all : all.slice(at, next);
      at = next;
      this.#compare(subpartition, cursor.next++, elementOf(again));
      this.#passBarriers(subpartition, cursor);
    }
    if (at === all.length) return undefined;
    return elementOf(at === 0 ? all : all.slice(at));
  }
}
