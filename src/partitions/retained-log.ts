import type { StoredView } from './stored-view.ts';
import type { Batch } from './stream-element.ts';

/** A batch that is kept. Has its records, or a place in the file, or both. */
export interface RetainedBatch {
  records: Batch | undefined;
  /** What it has reserved of the memory budget. */
  reservedBytes: number;
  /** Where it is in the file, once it was written. */
  written: { readonly offset: number; readonly bytes: number } | undefined;
}

/**
 * The batches of one subpartition that are kept, numbered from 0 as they were written, and who reads them.
 *
 * Invariants:
 * - RL1 Only what every live reader has taken can be dropped, oldest first; nothing can while nobody reads.
 * - RL2 A reader starts at the beginning, or not at all.
 */
export class RetainedLog {
  readonly #views = new Set<StoredView>();
  #batches: (RetainedBatch | undefined)[] = [];
  /** Batches before it were dropped. */
  #first = 0;
  #dropped = 0;
  #isReadToEnd = false;

  /** Batches that were ever written. */
  get length(): number {
    return this.#dropped + this.#batches.length;
  }

  /** Batches that are gone. */
  get first(): number {
    return this.#first;
  }

  /** Up to where every live reader has read; the beginning while nobody reads. */
  get position(): number {
    if (!this.isRead) return this.#isReadToEnd ? this.length : this.#first;
    let position = this.length;
    for (const view of this.#views) if (view.isReading) position = Math.min(position, view.position);
    return position;
  }

  /** Whether somebody reads it now. */
  get isRead(): boolean {
    for (const view of this.#views) if (view.isReading) return true;
    return false;
  }

  append(batch: RetainedBatch): void {
    this.#batches.push(batch);
    this.#isReadToEnd = false;
  }

  batchAt(index: number): RetainedBatch | undefined {
    return this.#batches[index - this.#dropped];
  }

  /** RL1. The oldest batch, which is kept no longer; undefined if it is still needed. */
  dropFirst(): RetainedBatch | undefined {
    if (this.#first >= this.position) return undefined;
    const at = this.#first - this.#dropped;
    const batch = this.#batches[at];
    this.#batches[at] = undefined;
    this.#first++;
    // Cut off once it is as long as the rest, so that a batch is moved about once.
    if ((at + 1) * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(at + 1);
      this.#dropped = this.#first;
    }
    return batch;
  }

  attach(view: StoredView): void {
    this.#views.add(view);
  }

  detach(view: StoredView): void {
    this.#views.delete(view);
    if (view.isComplete) this.#isReadToEnd = true;
  }

  /** Tells the readers that there is more, or that the end is known. */
  advance(): void {
    for (const view of [...this.#views]) view.advance();
  }

  /** Tells the readers that what they read is gone. */
  lose(error: Error): void {
    for (const view of [...this.#views]) view.lose(error);
    this.#views.clear();
    this.#batches = [];
  }

  /** Every batch that is kept. */
  *kept(): Iterable<RetainedBatch> {
    for (const batch of this.#batches) if (batch !== undefined) yield batch;
  }
}
