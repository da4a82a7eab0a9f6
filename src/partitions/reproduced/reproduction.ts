import type { Batch } from '../stream-element.ts';

/** What was produced before, by subpartition. */
export interface ProducedBefore {
  /** Batches of a subpartition, when the producing again began. */
  batchCount(subpartition: number): number;
  /** Records of a batch. */
  recordCount(subpartition: number, batch: number): number;
}

/** How far a subpartition was produced again. */
interface Cursor {
  batch: number;
  /** Records that do not make up the next batch yet. */
  pending: Batch;
}

const nothing: Batch = [];

/**
 * Follows an attempt that produces again what an earlier one has produced, and cuts its records into the batches of that
 * one: batches of other sizes make no difference.
 */
export class Reproduction {
  #before: ProducedBefore;
  #compare: (subpartition: number, batch: number, records: Batch) => void;
  readonly #cursors: Cursor[] = [];

  /** @param compare gets each batch when all its records are there again. May throw. */
  constructor(before: ProducedBefore, compare: (subpartition: number, batch: number, records: Batch) => void) {
    this.#before = before;
    this.#compare = compare;
  }

  /** Goes on from where it is, also within a {@link take}, with the same batches told by somebody else. */
  goOn(before: ProducedBefore, compare: (subpartition: number, batch: number, records: Batch) => void): void {
    this.#before = before;
    this.#compare = compare;
  }

  /** Takes what was written; returns the records that were not produced before. */
  take(subpartition: number, records: Batch): Batch {
    const cursor = (this.#cursors[subpartition] ??= { batch: 0, pending: nothing });
    const end = this.#before.batchCount(subpartition);
    if (cursor.batch >= end) return records;
    const all = cursor.pending.length === 0 ? records : [...cursor.pending, ...records];
    cursor.pending = nothing;
    let at = 0;
    while (cursor.batch < end) {
      const next = at + this.#before.recordCount(subpartition, cursor.batch);
      if (next > all.length) {
        cursor.pending = all.slice(at);
        return nothing;
      }
      const again = at === 0 && next === all.length ? all : all.slice(at, next);
      at = next;
      this.#compare(subpartition, cursor.batch++, again);
    }
    return at === 0 ? all : all.slice(at);
  }

  /** The batch of a subpartition that is still to come, and how many of its records came. Undefined when all did. */
  missing(subpartition: number): { readonly batch: number; readonly produced: number } | undefined {
    const { batch, pending } = this.#cursors[subpartition] ?? { batch: 0, pending: nothing };
    return batch >= this.#before.batchCount(subpartition) ? undefined : { batch, produced: pending.length };
  }
}
