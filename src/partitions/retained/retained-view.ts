import type { Subscriber } from 'rxjs';
import { Observable } from '../../rxjs/rxjs-classes.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { KeptRecords } from '../kept/kept-records.ts';
import type { ReadAhead } from '../read-ahead.ts';
import type { SubpartitionView } from '../result-partition.ts';
import { ReadFrame } from '../storage/read-back.ts';
import {
  elementOf,
  endOfPartition,
  recordCountOf,
  type StreamElement,
  type WrittenElement,
} from '../stream-element.ts';
import type { LogEntry, LogReader, RetainedLog } from './retained-log.ts';

/** Where to begin: a log entry, and how many records to skip from there. */
export interface ViewStart {
  readonly index: number;
  readonly skippedRecords: number;
}

/** What was fetched: an element from memory, or its frame from the file. */
export type Fetched = WrittenElement | ReadFrame;

/** Gets what was fetched, or the error. */
export type FetchDone = (error: Error | undefined, fetched: Fetched | undefined) => void;

/** The interface of the result for its views. */
export interface ViewHost {
  /** Whether no more elements will be written. */
  readonly isWhole: boolean;
  /** How far a new view may read ahead. */
  readAhead(): ReadAhead;
  /** Fetches an element that is not in memory. */
  fetch(log: RetainedLog, entry: LogEntry, done: FetchDone): void;
  /** Begins the fetches that wait for others from the same file. */
  startReads(): void;
  /** The view has a subscriber now. */
  opened(view: RetainedView, log: RetainedLog): void;
  /** An element was taken. */
  taken(log: RetainedLog): void;
  /** The reader was dismissed. Called before `closed`. */
  dismissed(log: RetainedLog): void;
  /** The view was read to the end, or abandoned. */
  closed(view: RetainedView, log: RetainedLog): void;
}

/** A requested element; while it is being read, neither `fetched` nor `error` is set. */
interface Slot {
  readonly entry: LogEntry;
  /** Its bytes in the file it is read from; 0 if it was in memory. */
  readonly bytes: number;
  /** Number of the read that brings it; 0 if it was in memory. */
  readonly read: number;
  /** Its place there when it was requested. */
  written: LogEntry['written'];
  fetched: Fetched | undefined;
  error: Error | undefined;
}

/**
 * One reading of one retained subpartition: fetches as many elements as it has credits for, plus a read-ahead from a
 * file, and emits them in order. At an element that is missing or not written yet, it waits for a notification.
 *
 * The next read-ahead begins when half of the last one was taken, so a lagging reader reads at the speed of the disk, many
 * small batches at a time. Its frames are verified one by one, when they are taken.
 */
export class RetainedView implements SubpartitionView, LogReader {
  readonly elements$: Observable<StreamElement>;
  readonly #log: RetainedLog;
  readonly #host: ViewHost;
  readonly #ahead: ReadAhead;
  #subscriber: Subscriber<StreamElement> | undefined;
  #state: 'unread' | 'reading' | 'over' = 'unread';
  #credits = 0;
  #next: number;
  #taken: number;
  #skippedRecords: number;
  /** Requested elements not yet emitted, in order. */
  #slots: Slot[] = [];
  /** Total over the slots. */
  #slotBytes = 0;
  /** Number of reads, each of what is wanted at once, and the last of them that its consumer waited for. */
  #reads = 0;
  #awaitedRead = 0;
  #isEmitting = false;
  #lost: Error | undefined;

  constructor(log: RetainedLog, { index, skippedRecords }: ViewStart, host: ViewHost) {
    this.#log = log;
    this.#host = host;
    this.#ahead = host.readAhead();
    this.#next = this.#taken = index;
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

  /** Whether it has a subscriber; a view that was opened in vain never gets one. */
  get isReading(): boolean {
    return this.#state === 'reading';
  }

  /** Index of the next entry to emit. */
  get position(): number {
    return this.#taken;
  }

  /** Whether it has read everything. */
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

  /** The data is lost. */
  lose(error: Error): void {
    this.#lost ??= error;
    this.#slots = [];
    this.#slotBytes = 0;
    this.#emit();
  }

  #emit(): void {
    const subscriber = this.#subscriber;
    // If the reader requests more while it gets an element, or the element is there at once, the loop serves it.
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
      if (head?.fetched !== undefined && this.#credits > 0) {
        const element = this.#elementOf(head, head.fetched);
        if (element !== undefined) this.#take(element, subscriber);
        continue;
      }
      if (head === undefined && this.isComplete) {
        subscriber.next(endOfPartition);
        subscriber.complete();
      } else if (head !== undefined && this.#credits > 0) this.#await(head);
      break;
    }
    this.#isEmitting = false;
  }

  /** Its consumer waits for the first slot. It always does for those of the first read. */
  #await({ read }: Slot): void {
    if (read <= this.#awaitedRead) return;
    if (this.#awaitedRead > 0) this.#ahead.grow();
    this.#awaitedRead = read;
  }

  get #isFarAhead(): boolean {
    return this.#slotBytes >= this.#ahead.bytes || this.#slots.length >= this.#ahead.elements;
  }

  /** The element of the first slot; undefined if its frame is not as it was written. */
  #elementOf(head: Slot, fetched: Fetched): WrittenElement | undefined {
    if (fetched instanceof KeptRecords) return fetched.toRead();
    if (!(fetched instanceof ReadFrame)) return fetched;
    try {
      const element = fetched.element();
      // Here, where its error is one of the partition.
      if (this.#skippedRecords > 0) recordCountOf(element);
      return element;
    } catch (error) {
      head.fetched = undefined;
      // RP4: the damaged file was removed meanwhile, and the element is being written again.
      if (head.written !== head.entry.written) this.#fetch(head);
      else head.error = toError(error);
      return undefined;
    }
  }

  #take(element: WrittenElement, subscriber: Subscriber<StreamElement>): void {
    this.#slotBytes -= (this.#slots.shift() as Slot).bytes;
    // What was asked for in this turn of its consumer is read after it, together with what others ask for; or during it, if
    // little else is left.
    const soon = this.#slots[this.#slots.length >> 2];
    if (soon !== undefined && soon.fetched === undefined) this.#host.startReads();
    const wanted = this.#skippedRecords === 0 ? element : this.#wantedOf(element);
    this.#taken++;
    this.#host.taken(this.#log);
    if (wanted === undefined) return;
    this.#credits--;
    subscriber.next(wanted);
  }

  /**
   * The rest of an element without the records to skip. A mark among them is skipped too, but for barriers: those of a
   * producer that is behind its consumer belong to new checkpoints.
   */
  #wantedOf(element: WrittenElement): WrittenElement | undefined {
    if (element.kind === 'barrier') return { ...element, isEarly: true };
    if (element.kind !== 'records') return undefined;
    const skipped = Math.min(this.#skippedRecords, element.records.length);
    this.#skippedRecords -= skipped;
    return skipped === element.records.length ? undefined : elementOf(element.records.slice(skipped));
  }

  #fetchMore(): void {
    const isLow = this.#slotBytes * 2 <= this.#ahead.bytes && this.#slots.length * 2 <= this.#ahead.elements;
    const read = this.#reads + 1;
    for (;;) {
      const entry = this.#log.entryAt(this.#next);
      if (entry === undefined) return;
      const { element, written, copy } = entry;
      const isAhead = this.#slots.length >= this.#credits;
      if (element !== undefined) {
        if (isAhead) return;
        this.#slots.push({ entry, bytes: 0, read: 0, written: undefined, fetched: element, error: undefined });
        this.#next++;
        continue;
      }
      // There is nothing to wait for.
      if (written === undefined || (isAhead && (copy !== undefined || !isLow || this.#isFarAhead))) return;
      this.#next++;
      this.#reads = read;
      const slot: Slot = { entry, bytes: written.bytes, read, written, fetched: undefined, error: undefined };
      this.#slots.push(slot);
      this.#slotBytes += slot.bytes;
      this.#fetch(slot);
    }
  }

  #fetch(slot: Slot): void {
    slot.written = slot.entry.written;
    this.#host.fetch(this.#log, slot.entry, (error, fetched) => {
      if (this.#state === 'over') return;
      if (error === undefined) slot.fetched = fetched;
      else slot.error = error;
      this.#emit();
    });
  }

  #close(): void {
    this.#state = 'over';
    this.#slots = [];
    this.#ahead.close();
    this.#host.closed(this, this.#log);
  }
}
