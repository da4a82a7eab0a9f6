import { type Batch, elementOf, type Records } from '../stream-element.ts';
import { LateRecords } from '../late-records.ts';
import type { RecordParts } from './record-parts.ts';

/**
 * Records that stay in memory after their readers in step got them: by property, because a garbage collection copies
 * every object that it finds alive, twice. They take about half of the memory that they have reserved as objects.
 *
 * Invariants:
 * - KR1 Readers in step get the written records themselves; others get equal ones, frozen if those were.
 * - KR2 Once let go, the written records are not held.
 */
export class KeptRecords implements Records {
  readonly kind = 'records';
  readonly #parts: RecordParts;
  /** As written, for readers in step. */
  #written: Batch | undefined;

  constructor(parts: RecordParts, written: Batch) {
    this.#parts = parts;
    this.#written = written;
  }

  /** Made again at each call, unless its readers are in step. */
  get records(): Batch {
    return this.#written ?? this.#parts.assemble();
  }

  /** For one reader. */
  toRead(): Records {
    return this.#written === undefined ? new LateRecords(() => this.#parts.assemble()) : elementOf(this.#written);
  }

  /** No reader is in step, or all of them got it. */
  letGo(): void {
    this.#written = undefined;
  }
}
