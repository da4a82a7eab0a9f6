import { Observable, type Subscriber } from 'rxjs';
import { IllegalStateError } from '../errors.ts';
import type { SubpartitionView } from './result-partition.ts';
import { type Batch, endOfPartition, type StreamElement } from './stream-element.ts';

export interface StoredViewOptions {
  /** How many batches there are now. */
  readonly batchCount: () => number;
  /** Whether there will be no more. */
  readonly isComplete: () => boolean;
  /** Gets a batch, at once if it is there. */
  readonly fetch: (index: number, done: (error: Error | undefined, records: Batch) => void) => void;
  /** The reading is over, or given up. */
  readonly closed: (view: StoredView) => void;
  /** Somebody reads it now. */
  readonly opened?: () => void;
  /** A batch was taken. */
  readonly taken?: () => void;
}

/**
 * One reading of one subpartition whose batches are kept: fetches as many as it has credits for, and emits them in order.
 * One that comes to the last batch before the end waits to be told that there is more.
 */
export class StoredView implements SubpartitionView {
  readonly elements$: Observable<StreamElement>;
  readonly #options: StoredViewOptions;
  #subscriber: Subscriber<StreamElement> | undefined;
  #state: 'unread' | 'reading' | 'over' = 'unread';
  #credits = 0;
  #next = 0;
  #taken = 0;
  /** Batches asked for and not emitted, in order; empty slots are still being read. */
  #fetched: { records: Batch | undefined }[] = [];
  #isEmitting = false;
  #lost: Error | undefined;

  constructor(options: StoredViewOptions) {
    this.#options = options;
    this.elements$ = new Observable((subscriber) => {
      if (this.#state !== 'unread') throw new IllegalStateError('A view has one reader');
      this.#state = 'reading';
      this.#subscriber = subscriber;
      options.opened?.();
      this.#emit();
      return () => this.#close();
    });
  }

  /** Whether somebody listens; a view that was opened in vain never is. */
  get isReading(): boolean {
    return this.#state === 'reading';
  }

  /** Batches that were emitted. */
  get position(): number {
    return this.#taken;
  }

  /** Whether everything was read. */
  get isComplete(): boolean {
    return this.#options.isComplete() && this.#taken === this.#options.batchCount();
  }

  /** There is more to read, or the end is known. */
  advance(): void {
    this.#emit();
  }

  request(credits: number): void {
    this.#credits += credits;
    this.#emit();
  }

  /** What it reads is gone. */
  lose(error: Error): void {
    this.#lost ??= error;
    this.#fetched = [];
    this.#emit();
  }

  #emit(): void {
    const subscriber = this.#subscriber;
    // A reader that asks for more while it is handed a batch, or a batch that is there at once, is served by the loop.
    if (this.#isEmitting || subscriber === undefined || this.#state !== 'reading') return;
    this.#isEmitting = true;
    while (!subscriber.closed) {
      if (this.#lost !== undefined) {
        subscriber.error(this.#lost);
        break;
      }
      this.#fetchMore();
      const head = this.#fetched[0];
      if (head?.records !== undefined) {
        this.#fetched.shift();
        this.#credits--;
        this.#taken++;
        this.#options.taken?.();
        subscriber.next({ kind: 'records', records: head.records });
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

  #fetchMore(): void {
    const { batchCount, fetch } = this.#options;
    while (this.#fetched.length < this.#credits && this.#next < batchCount()) {
      const slot: { records: Batch | undefined } = { records: undefined };
      this.#fetched.push(slot);
      fetch(this.#next++, (error, records) => {
        if (this.#state === 'over') return;
        if (error === undefined) slot.records = records;
        else this.#lost ??= error;
        this.#emit();
      });
    }
  }

  #close(): void {
    this.#state = 'over';
    this.#fetched = [];
    this.#options.closed(this);
  }
}
