import type { Batch } from '../../partitions/stream-element.ts';
import { type CallEntry, newEntry } from './call-entry.ts';

/** The records of a `mapAsync` stage that are not begun: one batch, whose next ones may be prepared. */
export class RecordQueue {
  #records: Batch = [];
  #begun = 0;
  /** Number of records before the current batch; negative if that batch was restored. */
  #before = 0;
  /** Entries of the next records. */
  #prepared: CallEntry[] = [];

  get isEmpty(): boolean {
    return this.#begun === this.#records.length;
  }

  /** The records, in order. */
  get records(): Batch {
    return this.#records.slice(this.#begun);
  }

  /** The next batch, after the one before is empty. */
  push(records: Batch): void {
    this.#before += this.#records.length;
    this.#records = records;
    this.#begun = 0;
  }

  /** Records of an earlier attempt, which have no number. */
  restore(records: Batch): void {
    this.#records = records;
    this.#before = -records.length;
  }

  /** The entry of the next record. */
  next(): CallEntry {
    const entry = this.#prepared.shift() ?? this.#entryOf(this.#begun);
    this.#begun++;
    return entry;
  }

  /** Prepares the next `count` records, unless it was done. */
  prepare(count: number, work: (entry: CallEntry) => void): void {
    const end = Math.min(this.#records.length, this.#begun + count);
    for (let index = this.#begun + this.#prepared.length; index < end; index++) {
      const entry = this.#entryOf(index);
      work(entry);
      this.#prepared.push(entry);
    }
  }

  clear(): void {
    this.#records = [];
    this.#prepared = [];
    this.#begun = 0;
  }

  #entryOf(index: number): CallEntry {
    const number = this.#before + index;
    return newEntry(this.#records[index], number < 0 ? undefined : number);
  }
}
