import { IllegalStateError, PartitionLostError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import { StoredView } from './stored-view.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { assertSerializable } from './plain-data.ts';
import { readBack } from './read-back.ts';
import { encodeBatch } from './record-codec.ts';
import { estimateBytes } from './record-size.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import type { SpillFile, SpillStore } from './spill-store.ts';
import type { Batch } from './stream-element.ts';

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

/** Where a batch is. Readers see none that is unwritten: they come after the end. */
type Place =
  | { readonly kind: 'memory'; readonly records: Batch }
  | { readonly kind: 'unwritten' }
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
  readonly #views = new Set<StoredView>();
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
    const places = this.#placesOf(subpartition);
    const bytes = estimateBytes(records);
    if (this.#budget.tryReserve(bytes)) this.#keep(places, records, bytes);
    else this.#spill(places, encodeBatch(records));
    this.#records += records.length;
    this.#batches++;
  }

  finish(done: (error?: Error) => void): void {
    if (this.#phase === 'released') {
      done(this.#released());
      return;
    }
    if (this.#phase === 'open') this.#phase = 'finishing';
    this.#finished = done;
    this.#finishIfWritten();
  }

  read(subpartition: number): SubpartitionView {
    if (this.#phase === 'released') throw this.#released();
    const places = this.#placesOf(subpartition);
    if (this.#phase !== 'finished') {
      throw new IllegalStateError(`Partition ${this.id.partition} is read before it has finished`);
    }
    const view = new StoredView({
      batchCount: () => places.length,
      isComplete: () => true,
      fetch: (index, done) => this.#fetch(places[index] as Place, done),
      closed: (closed) => this.#views.delete(closed),
    });
    this.#views.add(view);
    return view;
  }

  verify(done: (error?: Error) => void): void {
    const file = this.#file;
    if (this.#phase === 'released') done(this.#released());
    else if (file === undefined) done();
    else {
      file.verify((error) => {
        done(
          error &&
            new PartitionLostError(this.id, error.message, { cause: error, location: { file: file.name, offset: 0 } }),
        );
      });
    }
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
    const lost = this.#released();
    for (const view of [...this.#views]) view.lose(lost);
    this.#views.clear();
    const finished = this.#finished;
    this.#finished = undefined;
    finished?.(lost);
  }

  #released(): PartitionLostError {
    return new PartitionLostError(this.id, 'it was released');
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

  /** BP4. */
  #keep(places: Place[], records: Batch, bytes: number): void {
    try {
      assertSerializable(records);
    } catch (error) {
      this.#budget.release(bytes);
      throw error;
    }
    this.#memoryBytes += bytes;
    places.push({ kind: 'memory', records });
  }

  #spill(places: Place[], frame: Uint8Array): void {
    this.#file ??= this.#store.create(this.id);
    const index = places.length;
    const bytes = frame.length;
    places.push({ kind: 'unwritten' });
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
    readBack({ id: this.id, file: this.#file as SpillFile, offset, bytes, freeze: this.#freeze }, done);
  }
}
