import { type Batch, elementOf, type WrittenElement } from '../stream-element.ts';

/** What was produced before, by subpartition. */
export interface ProducedBefore {
  /** Elements of a subpartition, when the reproduction began. */
  elementCount(subpartition: number): number;
  /** Records of an element; 0 for a mark. */
  recordCount(subpartition: number, index: number): number;
}

/**
 * Gets each element when all of it was produced again, and whatever comes in its place: a mark where records were, records
 * where a mark was. May throw.
 */
export type CompareElement = (subpartition: number, index: number, again: WrittenElement) => void;

/** How far a subpartition was produced again. */
interface Cursor {
  /** Index of the element that comes next. */
  next: number;
  /** Records that do not make up the next batch yet. */
  pending: Batch;
}

const nothing: Batch = [];

/**
 * Follows an attempt that produces what an earlier one has produced, and cuts its records into the batches of that one:
 * batches of other sizes make no difference. A mark has to come after the same record as before.
 */
export class Reproduction {
  #before: ProducedBefore;
  #compare: CompareElement;
  readonly #cursors: Cursor[] = [];

  constructor(before: ProducedBefore, compare: CompareElement) {
    this.#before = before;
    this.#compare = compare;
  }

  /** Continues from where it is, also within a {@link take}, with another description of the same elements. */
  goOn(before: ProducedBefore, compare: CompareElement): void {
    this.#before = before;
    this.#compare = compare;
  }

  /** Takes what was written; returns what was not produced before: undefined if all of it was. */
  take(subpartition: number, element: WrittenElement): WrittenElement | undefined {
    const cursor = (this.#cursors[subpartition] ??= { next: 0, pending: nothing });
    if (cursor.next >= this.#before.elementCount(subpartition)) return element;
    if (element.kind === 'records') return this.#takeRecords(subpartition, cursor, element.records);
    // Records that are pending belong before the mark: it is compared with their batch, and differs.
    this.#compare(subpartition, cursor.next++, element);
    return undefined;
  }

  /** The element of a subpartition that is still to come, and how many of its records came. Undefined when all did. */
  missing(subpartition: number): { readonly index: number; readonly produced: number } | undefined {
    const { next, pending } = this.#cursors[subpartition] ?? { next: 0, pending: nothing };
    return next >= this.#before.elementCount(subpartition) ? undefined : { index: next, produced: pending.length };
  }

  #takeRecords(subpartition: number, cursor: Cursor, records: Batch): WrittenElement | undefined {
    const end = this.#before.elementCount(subpartition);
    const all = cursor.pending.length === 0 ? records : [...cursor.pending, ...records];
    cursor.pending = nothing;
    let at = 0;
    while (cursor.next < end && at < all.length) {
      // In the place of a mark, of which there are no records, none are compared with it, and differ.
      const next = at + this.#before.recordCount(subpartition, cursor.next);
      if (next > all.length) {
        cursor.pending = all.slice(at);
        return undefined;
      }
      const again = at === 0 && next === all.length ? all : all.slice(at, next);
      at = next;
      this.#compare(subpartition, cursor.next++, elementOf(again));
    }
    if (at === all.length) return undefined;
    return elementOf(at === 0 ? all : all.slice(at));
  }
}
