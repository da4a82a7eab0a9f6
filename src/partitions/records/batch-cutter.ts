import type { Batch } from '../stream-element.ts';
import { estimateRecordBytes, largestOfSome } from './record-size.ts';

/** How long batches become: so many records, or about so many bytes of memory, whichever is less. */
export interface BatchLimits {
  /** Most records of a batch. */
  readonly batchSize: number;
  /** Most bytes of a batch, estimated. A record that is larger is a batch by itself. */
  readonly batchBytes: number;
}

/** What is asked for at first, of records whose size nobody knows. */
const firstRecords = 16;

/** By how much the next batch may be longer than the last. */
const growth = 4;

/** A record that takes more than this part of a batch is large. */
const largePart = 1 / 16;

/** Batches that are measured record by record after one that held a large record. */
const measuredBatches = 64;

/**
 * Keeps batches of one place within their limits. It looks at a few records per batch; once one of those is large it
 * measures each, until it has seen no large one for a while: where records are large, that costs nothing beside them.
 */
export class BatchCutter {
  readonly #limits: BatchLimits;
  /** Batches that are still to be measured record by record. */
  #measuredLeft = 0;
  #next: number;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
    this.#next = Math.min(limits.batchSize, firstRecords);
  }

  /** Records that the next batch should have, as far as the last ones tell. */
  get nextRecords(): number {
    return this.#next;
  }

  /** How many records like some of a batch make a full one, by a look at a few; undefined where each has to be measured. */
  fitting(records: Batch, start = 0, end = records.length): number | undefined {
    if (this.#measuredLeft > 0) {
      this.#measuredLeft--;
      return undefined;
    }
    const { batchSize, batchBytes } = this.#limits;
    const bytes = largestOfSome(records, start, end);
    if (!this.#noteIfLarge(bytes)) return Math.min(batchSize, Math.floor(batchBytes / bytes));
    return undefined;
  }

  /** Estimated bytes of a record. */
  measure(record: unknown): number {
    const bytes = estimateRecordBytes(record);
    this.#noteIfLarge(bytes);
    return bytes;
  }

  /** Where the batch ends that begins with record `start`. */
  endOf(records: Batch, start = 0): number {
    const { batchSize, batchBytes } = this.#limits;
    const end = Math.min(records.length, start + batchSize);
    const fitting = this.fitting(records, start, end);
    if (fitting !== undefined) {
      this.#expect(fitting);
      return Math.min(end, start + fitting);
    }
    let measured = 0;
    let bytes = 0;
    while (start + measured < end && (measured === 0 || bytes <= batchBytes)) {
      bytes += this.measure(records[start + measured]);
      measured++;
    }
    this.#expect(Math.floor((batchBytes * measured) / Math.max(1, bytes)));
    return start + (bytes > batchBytes && measured > 1 ? measured - 1 : measured);
  }

  #expect(fitting: number): void {
    this.#next = Math.max(1, Math.min(this.#limits.batchSize, this.#next * growth, fitting));
  }

  #noteIfLarge(bytes: number): boolean {
    if (bytes <= this.#limits.batchBytes * largePart) return false;
    this.#measuredLeft = measuredBatches;
    return true;
  }
}
