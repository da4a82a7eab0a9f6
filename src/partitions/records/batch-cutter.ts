import type { Batch } from '../stream-element.ts';
import { estimateRecordBytes, largestOfSome, oneOfSome } from './record-size.ts';

/** The size of batches: a number of records, or about a number of bytes in memory, whichever is less. */
export interface BatchLimits {
  /** Maximum number of records in a batch. */
  readonly batchSize: number;
  /** Maximum number of bytes in a batch, estimated. A larger record is a batch by itself. */
  readonly batchBytes: number;
}

/** The first request, while the size of the records is unknown. */
const firstRecords = 16;

/** Maximum growth of a batch over the previous one. */
const growth = 4;

/** A record that takes more than this fraction of a batch is large. */
const largePart = 1 / 16;

/** Number of batches that are measured record by record after one with a large record. */
const measuredBatches = 64;

/** Number of batches of small records in a row after which one record per batch is sampled. */
const calmBatches = 16;

/** Records are small if this many batches of them take no more bytes than one may have. */
const smallPart = 4;

/**
 * Keeps the batches of one place within their limits. It samples a few records per batch; after many batches of small
 * records one, in turn at each of the same places, because records that are not in the cache of the processor cost more to
 * look at than a batch of them to cut. After a large record it measures every record, until it has seen no large one for
 * a while; next to large records, measuring costs nothing.
 */
export class BatchCutter {
  readonly #batchSize: number;
  readonly #batchBytes: number;
  /** Number of batches still to be measured record by record. */
  #measuredLeft = 0;
  /** Number of batches of small records in a row. */
  #calm = 0;
  #next: number;

  constructor({ batchSize, batchBytes }: BatchLimits) {
    // By themselves: objects with limits have many shapes, and each access would have to find out which.
    this.#batchSize = batchSize;
    this.#batchBytes = batchBytes;
    this.#next = Math.min(batchSize, firstRecords);
  }

  /** The number of records to request for the next batch, estimated from recent ones. */
  get nextRecords(): number {
    return this.#next;
  }

  /** Whether it measures every record, because it has seen a large one lately. */
  get isMeasuring(): boolean {
    return this.#measuredLeft > 0;
  }

  /** The number of records to request for the next batch, of which one is `record`. */
  nextWith(record: unknown): number {
    const fitting = Math.max(1, Math.floor(this.#batchBytes / estimateRecordBytes(record)));
    const next = Math.min(this.#next, fitting);
    this.#expect(fitting);
    return next;
  }

  /**
   * The number of such records that fill a batch, estimated from a sample of `records`; undefined if each has to be
   * measured.
   */
  fitting(records: Batch, start = 0, end = records.length): number | undefined {
    if (this.#measuredLeft > 0) {
      this.#measuredLeft--;
      return undefined;
    }
    const bytes =
      this.#calm < calmBatches ? largestOfSome(records, start, end) : oneOfSome(records, start, end, this.#calm);
    if (this.#noteIfLarge(bytes)) return undefined;
    const areSmall = bytes * this.#batchSize * smallPart <= this.#batchBytes;
    this.#calm = areSmall ? this.#calm + 1 : 0;
    return Math.min(this.#batchSize, Math.floor(this.#batchBytes / bytes));
  }

  /** Estimated bytes of a record. */
  measure(record: unknown): number {
    const bytes = estimateRecordBytes(record);
    this.#noteIfLarge(bytes);
    return bytes;
  }

  /** The end of the batch that begins with record `start`. */
  endOf(records: Batch, start = 0): number {
    const batchBytes = this.#batchBytes;
    const end = Math.min(records.length, start + this.#batchSize);
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

  /**
   * The end of the batch that begins with record `start`, for who calls {@link endOf} when it was processed. Looks at no
   * record: undefined unless many batches of small ones were seen.
   */
  calmEndOf(records: Batch, start = 0): number | undefined {
    if (this.#measuredLeft > 0 || this.#calm < calmBatches) return undefined;
    return Math.min(records.length, start + this.#batchSize);
  }

  #expect(fitting: number): void {
    this.#next = Math.max(1, Math.min(this.#batchSize, this.#next * growth, fitting));
  }

  #noteIfLarge(bytes: number): boolean {
    if (bytes <= this.#batchBytes * largePart) return false;
    this.#measuredLeft = measuredBatches;
    this.#calm = 0;
    return true;
  }
}

/** Of the records of a batch that come one by one, one in 256 is sampled, and more at the beginning. @param length with it */
export function isSampled(length: number): boolean {
  return (length & (length - 1)) === 0 || (length & 255) === 0;
}
