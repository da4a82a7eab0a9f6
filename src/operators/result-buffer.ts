import { BatchCutter, type BatchLimits } from '../partitions/records/batch-cutter.ts';
import type { Batch } from '../partitions/stream-element.ts';

/** Results waiting to be polled, returned in batches without moving the rest. */
export class ResultBuffer {
  readonly #batchSize: number;
  readonly #cutter: BatchCutter;
  #records: unknown[] = [];
  #taken = 0;
  #batchesTaken = 0;

  constructor(limits: BatchLimits) {
    this.#batchSize = limits.batchSize;
    this.#cutter = new BatchCutter(limits);
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  /** Total number of batches taken. */
  get batchesTaken(): number {
    return this.#batchesTaken;
  }

  /** Whether it holds less than a batch. Examines only a few records. */
  get hasRoom(): boolean {
    const { length } = this.#records;
    return length === 0 || (length < this.#batchSize && this.#cutter.endOf(this.#records) === length);
  }

  /** What it holds, in order. */
  get rest(): Batch {
    return this.#records.slice(this.#taken);
  }

  add(record: unknown): void {
    this.#records.push(record);
  }

  /** Takes ownership of `records`; the caller must not change them afterwards. */
  addAll(records: unknown[]): void {
    if (records.length === 0) return;
    if (this.isEmpty) {
      this.#records = records;
      this.#taken = 0;
    } else {
      for (const record of records) this.#records.push(record);
    }
  }

  /** The next batch; undefined when it is empty. The caller owns it. */
  take(): Batch | undefined {
    const { length } = this.#records;
    if (length === 0) return undefined;
    this.#batchesTaken++;
    const start = this.#taken;
    const end = this.#cutter.endOf(this.#records, start);
    if (end < length) {
      this.#taken = end;
      return this.#records.slice(start, end);
    }
    const rest = start === 0 ? this.#records : this.#records.slice(start);
    this.clear();
    return rest;
  }

  clear(): void {
    this.#records = [];
    this.#taken = 0;
  }
}
