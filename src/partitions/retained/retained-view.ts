import { Observable, type Subscriber } from 'rxjs';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { SubpartitionView } from '../result-partition.ts';
import { type Batch, endOfPartition, type StreamElement } from '../stream-element.ts';
import type { LogReader, RetainedBatch, RetainedLog } from './retained-log.ts';

/** Where to begin: a batch, and how many records of it and of those that follow are not wanted. */
export interface ViewStart {
  readonly batch: number;
  readonly skippedRecords: number;
}

/** What a view asks of the result that it is a part of, and tells it. */
export interface ViewHost {
  /** Whether there will be no more batches. */
  readonly isWhole: boolean;
  /** Gets a batch that is not in memory. */
  fetch(log: RetainedLog, batch: RetainedBatch, done: (error: Error | undefined, records: Batch) => void): void;
  /** The view is read now. */
  opened(view: RetainedView, log: RetainedLog): void;
  /** A batch was taken. */
  taken(log: RetainedLog): void;
  /** The reader needs nothing more, for good. Before `closed`. */
  dismissed(log: RetainedLog): void;
  /** The reading is over, or was abandoned. */
  closed(view: RetainedView, log: RetainedLog): void;
}

/**
 * What is read from a file before it is asked for: so many bytes (and the rest of a batch) or batches, whichever is less.
 * More is read when half of it was taken: who is behind reads at the speed of the disk, many small batches at a time.
 */
const readAhead = { bytes: 256 * 1_024, batches: 64 } as const;

/** A batch that was asked for; neither while it is being read. */
interface Slot {
  /** What it takes in the file that it is read from; 0 if it was in memory. */
  readonly bytes: number;
  records: Batch | undefined;
  error: Error | undefined;
}

/**
 * One reading of one subpartition whose batches are kept: fetches as many as it has credits for, some more from a file,
 * and emits them in order. One that comes to a batch that is not there, or to the last before the end, waits to be told.
 */
export class RetainedView implements SubpartitionView, LogReader {
  readonly elements$: Observable<StreamElement>;
  readonly #log: RetainedLog;
  readonly #host: ViewHost;
  #subscriber: Subscriber<StreamElement> | undefined;
  #state: 'unread' | 'reading' | 'over' = 'unread';
  #credits = 0;
  #next: number;
  #taken: number;
  #skippedRecords: number;
  /** Batches asked for and not emitted, in order. */
  #slots: Slot[] = [];
  /** Of the slots together. */
  #slotBytes = 0;
  #isEmitting = false;
  #lost: Error | undefined;

  constructor(log: RetainedLog, { batch, skippedRecords }: ViewStart, host: ViewHost) {
    this.#log = log;
    this.#host = host;
    this.#next = this.#taken = batch;
    this.#skippedRecords = skippedRecords;
    this.elements$ = new Observable((subscriber) => {
      if (this.#state !== 'unread') throw new IllegalStateError('A view has one reader');
      this.#state = 'reading';
      this.#subscriber = subscriber;
      host.opened(this, log);
      this.#emit();
      return () => this.#close();
    });
  }

  /** Whether somebody listens; a view that was opened in vain never is. */
  get isReading(): boolean {
    return this.#state === 'reading';
  }

  /** The batch that will be emitted next. */
  get position(): number {
    return this.#taken;
  }

  /** Whether everything was read. */
  get isComplete(): boolean {
    return this.#taken === this.#log.length && this.#host.isWhole;
  }

  /** There is more to read, or the end is known. */
  advance(): void {
    this.#emit();
  }

  request(credits: number): void {
    this.#credits += credits;
    this.#emit();
  }

  dismiss(): void {
    this.#host.dismissed(this.#log);
    this.#state = 'over';
    this.#subscriber?.unsubscribe();
  }

  /** What it reads is gone. */
  lose(error: Error): void {
    this.#lost ??= error;
    this.#slots = [];
    this.#slotBytes = 0;
    this.#emit();
  }

  #emit(): void {
    const subscriber = this.#subscriber;
    // A reader that asks for more while it is handed a batch, or a batch that is there at once, is served by the loop.
    if (this.#isEmitting || subscriber === undefined || this.#state !== 'reading') return;
    this.#isEmitting = true;
    while (!subscriber.closed) {
      if (this.#lost === undefined) this.#fetchMore();
      const head = this.#slots[0];
      const error = this.#lost ?? head?.error;
      if (error !== undefined) {
        subscriber.error(error);
        break;
      }
      if (head?.records !== undefined && this.#credits > 0) {
        this.#slots.shift();
        this.#slotBytes -= head.bytes;
        this.#take(head.records, subscriber);
        continue;
      }
      if (head === undefined && this.isComplete) {
        subscriber.next(endOfPartition);
        subscriber.complete();
      }
      break;
    }
    this.#isEmitting = false;
  }

  get #isFarAhead(): boolean {
    return this.#slotBytes >= readAhead.bytes || this.#slots.length >= readAhead.batches;
  }

  #take(batch: Batch, subscriber: Subscriber<StreamElement>): void {
    const skipped = Math.min(this.#skippedRecords, batch.length);
    this.#skippedRecords -= skipped;
    const records = skipped === 0 ? batch : batch.slice(skipped);
    this.#taken++;
    this.#host.taken(this.#log);
    if (records.length === 0) return;
    this.#credits--;
    subscriber.next({ kind: 'records', records });
  }

  #fetchMore(): void {
    const isLow = this.#slotBytes * 2 <= readAhead.bytes && this.#slots.length * 2 <= readAhead.batches;
    for (;;) {
      const batch = this.#log.batchAt(this.#next);
      if (batch === undefined) return;
      const { records, written } = batch;
      const isAhead = this.#slots.length >= this.#credits;
      if (records !== undefined) {
        if (isAhead) return;
        this.#slots.push({ bytes: 0, records, error: undefined });
        this.#next++;
        continue;
      }
      if (written === undefined || (isAhead && (!isLow || this.#isFarAhead))) return;
      this.#next++;
      this.#fetch(batch, written.bytes);
    }
  }

  #fetch(batch: RetainedBatch, bytes: number): void {
    const slot: Slot = { bytes, records: undefined, error: undefined };
    this.#slots.push(slot);
    this.#slotBytes += bytes;
    this.#host.fetch(this.#log, batch, (error, records) => {
      if (this.#state === 'over') return;
      if (error === undefined) slot.records = records;
      else slot.error = error;
      this.#emit();
    });
  }

  #close(): void {
    this.#state = 'over';
    this.#slots = [];
    this.#host.closed(this, this.#log);
  }
}
