import { Observable, type Subscriber } from 'rxjs';
import { IllegalStateError, PartitionLostError, RecordNotSerializableError, toError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import { freezeRecords } from './freeze-records.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { assertSerializable } from './plain-data.ts';
import { decodeBatch, encodeBatch } from './record-codec.ts';
import { estimateBytes } from './record-size.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import type { SpillFile, SpillStore } from './spill-store.ts';
import { type Batch, endOfPartition, type StreamElement } from './stream-element.ts';

/** Batches that may be on their way to the disk before the producer has to wait. */
const mostUnwritten = 8;

export interface BlockingResultPartitionOptions {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly budget: MemoryBudget;
  readonly spillStore: SpillStore;
  /** Whether records that come back from a file are frozen like those they were written from. */
  readonly freeze?: boolean;
}

/** Where a batch is. */
type Place =
  | { readonly kind: 'memory'; readonly records: Batch; readonly bytes: number }
  | { readonly kind: 'unwritten'; readonly bytes: number }
  | { readonly kind: 'file'; readonly offset: number; readonly bytes: number };

/**
 * A result that is complete before it is read, and can be read again: batches stay in memory while the run's budget has
 * room, and go to a file of the partition's own otherwise.
 *
 * Invariants:
 * - BP1 A reader sees the whole result or an error, never a part that looks whole.
 * - BP2 What cannot be read back as it was written is a lost partition: its producer runs again.
 * - BP3 What it holds is what it has reserved; released, it holds nothing.
 * - BP4 Records it would not be able to write are refused even while there is room in memory.
 */
export class BlockingResultPartition implements ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly #budget: MemoryBudget;
  readonly #store: SpillStore;
  readonly #freeze: boolean;
  readonly #subpartitions: (Place[] | undefined)[] = [];
  readonly #views = new Set<BlockingView>();
  #file: SpillFile | undefined;
  #phase: 'open' | 'finishing' | 'finished' | 'released' = 'open';
  #unwritten = 0;
  #failure: Error | undefined;
  #listener: (() => void) | undefined;
  #finished: ((error?: Error) => void) | undefined;
  #records = 0;
  #batches = 0;
  #memoryBytes = 0;
  #spilledBytes = 0;

  constructor(options: BlockingResultPartitionOptions) {
    this.id = options.id;
    this.exchange = options.exchange;
    this.subpartitionCount = options.subpartitionCount;
    this.#budget = options.budget;
    this.#store = options.spillStore;
    this.#freeze = options.freeze ?? false;
  }

  get isWritable(): boolean {
    return this.#unwritten < mostUnwritten;
  }

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  write(subpartition: number, records: Batch): void {
    if (this.#phase !== 'open') {
      throw new IllegalStateError(`A batch was written to partition ${this.id.partition}, which is ${this.#phase}`);
    }
    if (this.#failure !== undefined) throw this.#failure;
    assertSerializable(records);
    this.#records += records.length;
    this.#batches++;
    const places = this.#placesOf(subpartition);
    const bytes = estimateBytes(records);
    if (this.#budget.tryReserve(bytes)) {
      this.#memoryBytes += bytes;
      places.push({ kind: 'memory', records, bytes });
    } else {
      this.#spill(places, encode(records));
    }
  }

  finish(done: (error?: Error) => void): void {
    if (this.#phase === 'open') this.#phase = 'finishing';
    this.#finished = done;
    this.#finishIfWritten();
  }

  read(subpartition: number): SubpartitionView {
    if (this.#phase === 'released') throw new PartitionLostError(this.id, 'it was released');
    const places = this.#placesOf(subpartition);
    if (this.#phase !== 'finished') {
      throw new IllegalStateError(`Partition ${this.id.partition} is read before it has finished`);
    }
    const view = new BlockingView({
      places,
      fetch: (place, done) => this.#fetch(place, done),
      closed: (closed) => this.#views.delete(closed),
    });
    this.#views.add(view);
    return view;
  }

  statistics(): PartitionStatistics {
    return {
      records: this.#records,
      batches: this.#batches,
      memoryBytes: this.#memoryBytes,
      spilledBytes: this.#spilledBytes,
    };
  }

  release(): void {
    if (this.#phase === 'released') return;
    this.#phase = 'released';
    this.#budget.release(this.#memoryBytes);
    this.#memoryBytes = 0;
    this.#spilledBytes = 0;
    this.#subpartitions.length = 0;
    this.#file?.remove();
    const lost = new PartitionLostError(this.id, 'it was released');
    for (const view of [...this.#views]) view.lose(lost);
    this.#views.clear();
  }

  #placesOf(subpartition: number): Place[] {
    const known = this.#subpartitions[subpartition];
    if (known !== undefined) return known;
    if (!(subpartition >= 0 && subpartition < this.subpartitionCount)) {
      throw new IllegalStateError(
        `Partition ${this.id.partition} has ${this.subpartitionCount} subpartitions, and no number ${subpartition}`,
      );
    }
    const places: Place[] = [];
    this.#subpartitions[subpartition] = places;
    return places;
  }

  #spill(places: Place[], frame: Uint8Array): void {
    this.#file ??= this.#store.create(this.id);
    const index = places.length;
    const bytes = frame.length;
    places.push({ kind: 'unwritten', bytes });
    this.#unwritten++;
    this.#file.append(frame, (error, offset) => {
      const wasWritable = this.isWritable;
      this.#unwritten--;
      if (this.#phase === 'released') return;
      if (error === undefined) {
        places[index] = { kind: 'file', offset, bytes };
        this.#spilledBytes += bytes;
      } else {
        this.#failure ??= error;
      }
      this.#finishIfWritten();
      if (!wasWritable || error !== undefined) this.#listener?.();
    });
  }

  #finishIfWritten(): void {
    if (this.#phase !== 'finishing' || this.#unwritten > 0) return;
    if (this.#failure === undefined) this.#phase = 'finished';
    const done = this.#finished;
    this.#finished = undefined;
    done?.(this.#failure);
  }

  /** Reads a batch back. BP2. */
  #fetch(place: Place, done: (error: Error | undefined, records: Batch) => void): void {
    if (place.kind === 'memory') {
      done(undefined, place.records);
      return;
    }
    const { offset, bytes } = place as Extract<Place, { kind: 'file' }>;
    const file = this.#file as SpillFile;
    const lost = (cause: unknown): PartitionLostError =>
      new PartitionLostError(this.id, toError(cause).message, { cause, location: { file: file.name, offset } });
    file.read(offset, bytes, (error, frame) => {
      if (error !== undefined) {
        done(lost(error), []);
        return;
      }
      let records: Batch;
      try {
        records = decodeBatch(frame);
      } catch (cause) {
        done(lost(cause), []);
        return;
      }
      if (this.#freeze) {
        freezeRecords(records);
        Object.freeze(records);
      }
      done(undefined, records);
    });
  }
}

interface BlockingViewOptions {
  readonly places: readonly Place[];
  readonly fetch: (place: Place, done: (error: Error | undefined, records: Batch) => void) => void;
  readonly closed: (view: BlockingView) => void;
}

/** One reading of one subpartition. Fetches as many batches as it has credits for, and emits them in order. */
class BlockingView implements SubpartitionView {
  readonly elements$: Observable<StreamElement>;
  readonly #options: BlockingViewOptions;
  #subscriber: Subscriber<StreamElement> | undefined;
  #state: 'unread' | 'reading' | 'over' = 'unread';
  #credits = 0;
  #next = 0;
  /** Batches asked for and not emitted, in order; empty slots are still being read. */
  #fetched: { records: Batch | undefined }[] = [];
  #isEmitting = false;
  #lost: Error | undefined;

  constructor(options: BlockingViewOptions) {
    this.#options = options;
    this.elements$ = new Observable((subscriber) => {
      if (this.#state !== 'unread') throw new IllegalStateError('A view has one reader');
      this.#state = 'reading';
      this.#subscriber = subscriber;
      this.#emit();
      return () => this.#close();
    });
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
        subscriber.next({ kind: 'records', records: head.records });
        continue;
      }
      if (head === undefined && this.#next === this.#options.places.length) {
        subscriber.next(endOfPartition);
        subscriber.complete();
      }
      break;
    }
    this.#isEmitting = false;
  }

  #fetchMore(): void {
    const { places, fetch } = this.#options;
    while (this.#fetched.length < this.#credits && this.#next < places.length) {
      const slot: { records: Batch | undefined } = { records: undefined };
      this.#fetched.push(slot);
      fetch(places[this.#next++] as Place, (error, records) => {
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

function encode(records: Batch): Uint8Array {
  try {
    return encodeBatch(records);
  } catch (cause) {
    throw new RecordNotSerializableError('$', `not writable (${toError(cause).message})`);
  }
}
