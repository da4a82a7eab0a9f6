import { IllegalStateError, PartitionLostError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { assertSerializable } from './plain-data.ts';
import { readBack } from './read-back.ts';
import { encodeBatch } from './record-codec.ts';
import { estimateBytes } from './record-size.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import { type RetainedBatch, RetainedLog } from './retained-log.ts';
import type { SpillFile, SpillStore } from './spill-store.ts';
import { StoredView } from './stored-view.ts';
import type { Batch } from './stream-element.ts';

/** Batches that may be on their way to the disk before the producer has to wait. */
const mostUnwritten = 8;

/** Batches of a subpartition that nobody has taken, from which on it counts as crowded. */
const crowded = 4;

/** Batches of a subpartition that stay in memory although they are written: a reader in step needs no read. */
const inStep = 4;

/**
 * Where batches are kept: in memory up to a budget, of which the oldest that were read are dropped; in memory, and on
 * disk past the budget; on disk.
 */
export type Retention = 'memory' | 'memory-then-disk' | 'disk';

export interface RetainedResultPartitionOptions {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly retention: Retention;
  /** Of the retentions that use memory. */
  readonly budget: MemoryBudget;
  /** Of the retentions that use the disk. */
  readonly spillStore: SpillStore;
  /** Whether records that come back from a file are frozen like those they were written from. */
  readonly freeze?: boolean;
  /** Hears, once, that the beginning was dropped: who starts to read from now on needs the producer to run again. */
  readonly truncated?: () => void;
}

/**
 * A result that is kept: a reader that starts anew gets everything from the beginning. Depending on its exchange it is read
 * while it is written, or when it is complete.
 *
 * Invariants:
 * - RP1 A reader that is in step gets the very batches that were written, without a read from the disk. One that has to
 *   wait for the end sees the whole result or an error, never a part that looks whole.
 * - RP2 What a live reader has not taken is never dropped; with no reader nothing is.
 * - RP3 What was dropped, or cannot be read back as it was written, is a lost partition, never a gap.
 * - RP4 What it holds is what it has reserved; released, it holds nothing. Records that might have to be written are
 *   refused although there is room, if they cannot be.
 * - RP5 A budget that is used up stops the producer only while a reader lags: two exchanges never wait for each other's
 *   memory.
 * - RP6 What nobody reads yet and memory has no room for goes to the disk: who will read it may wait, by another way, for
 *   this very producer to finish.
 */
export class RetainedResultPartition implements ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly #options: RetainedResultPartitionOptions;
  /** Whether readers may come before it is complete. */
  readonly #isReadEarly: boolean;
  readonly #logs: (RetainedLog | undefined)[] = [];
  /** Logs in the order in which batches of theirs were taken: whose oldest may be dropped next. */
  #taken: RetainedLog[] = [];
  #takenAt = 0;
  readonly #crowdedLogs = new Set<RetainedLog>();
  #file: SpillFile | undefined;
  #phase: 'open' | 'finishing' | 'finished' | 'released' = 'open';
  #unwritten = 0;
  #failure: Error | undefined;
  #listener: (() => void) | undefined;
  /** While a reader lags: others may make room. */
  #leaveBudget: (() => void) | undefined;
  #finished: ((error?: Error) => void) | undefined;
  #isTruncated = false;
  #records = 0;
  #batches = 0;
  #memoryBytes = 0;
  #spilledBytes = 0;

  constructor(options: RetainedResultPartitionOptions) {
    this.id = options.id;
    this.exchange = options.exchange;
    this.subpartitionCount = options.subpartitionCount;
    this.#options = options;
    this.#isReadEarly = options.exchange.consumption !== 'after-producer-finished';
  }

  get isWritable(): boolean {
    if (this.#unwritten >= mostUnwritten) return false;
    // RP5.
    return this.#crowdedLogs.size === 0 || !this.#options.budget.isExceeded;
  }

  /** Whether a reader that starts now finds the beginning. */
  get isReadableFromStart(): boolean {
    return this.#phase !== 'released' && !this.#isTruncated && this.#failure === undefined;
  }

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  write(subpartition: number, records: Batch): void {
    if (this.#phase !== 'open') {
      throw new IllegalStateError(`A batch was written to partition ${this.id.partition}, which is ${this.#phase}`);
    }
    if (this.#failure !== undefined) throw this.#failure;
    const log = this.#log(subpartition);
    const batch: RetainedBatch = { records, reservedBytes: 0, written: undefined };
    const frame = this.#keepInMemory(log, batch, records) ? undefined : this.#frameOf(records);
    if (frame !== undefined) this.#writeToFile(log, batch, frame);
    log.append(batch);
    this.#records += records.length;
    this.#batches++;
    this.#noteCrowd(log);
    log.advance();
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
    const log = this.#log(subpartition);
    if (!this.#isReadEarly && this.#phase !== 'finished') {
      throw new IllegalStateError(`Partition ${this.id.partition} is read before it has finished`);
    }
    if (log.first > 0) {
      throw new PartitionLostError(
        this.id,
        `its first ${log.first} batches were dropped when the memory budget was used up`,
      );
    }
    const view: StoredView = new StoredView({
      batchCount: () => log.length,
      isComplete: () => this.#phase === 'finished',
      fetch: (index, done) => this.#fetch(log.batchAt(index), done),
      opened: () => this.#noteCrowd(log),
      taken: () => this.#noteTaken(log),
      closed: (closed) => {
        log.detach(closed);
        this.#noteCrowd(log);
      },
    });
    log.attach(view);
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
    this.#leaveBudget?.();
    this.#leaveBudget = undefined;
    this.#options.budget.release(this.#memoryBytes);
    this.#memoryBytes = 0;
    this.#spilledBytes = 0;
    const lost = this.#released();
    for (const log of this.#logs) log?.lose(lost);
    this.#logs.length = 0;
    this.#taken = [];
    this.#crowdedLogs.clear();
    this.#file?.remove();
    const finished = this.#finished;
    this.#finished = undefined;
    finished?.(lost);
  }

  #released(): PartitionLostError {
    return new PartitionLostError(this.id, 'it was released');
  }

  #log(subpartition: number): RetainedLog {
    const known = this.#logs[subpartition];
    if (known !== undefined) return known;
    if (!(subpartition >= 0 && subpartition < this.subpartitionCount)) {
      throw new IllegalStateError(
        `Partition ${this.id.partition} has ${this.subpartitionCount} subpartitions, and no number ${subpartition}`,
      );
    }
    const log = new RetainedLog();
    this.#logs[subpartition] = log;
    return log;
  }

  /** Reserves what the batch takes; false if it has to go to the disk. */
  #keepInMemory(log: RetainedLog, batch: RetainedBatch, records: Batch): boolean {
    const { retention, budget } = this.#options;
    if (retention === 'disk') return false;
    const bytes = estimateBytes(records);
    if (!budget.tryReserve(bytes)) {
      if (retention === 'memory-then-disk') return false;
      while (!budget.hasRoomFor(bytes) && this.#dropOldest());
      // RP6.
      if (!log.isRead && !budget.hasRoomFor(bytes)) return false;
      budget.reserve(bytes);
    } else if (retention === 'memory-then-disk') {
      // What might have to be written later is refused now. (Kept batches stay where they are, but be of one kind.)
      this.#assertSerializable(records, bytes);
    }
    batch.reservedBytes = bytes;
    this.#memoryBytes += bytes;
    return true;
  }

  /** Undefined for records that cannot be written and need not be: they stay in memory. */
  #frameOf(records: Batch): Uint8Array | undefined {
    try {
      return encodeBatch(records);
    } catch (error) {
      if (this.#options.retention === 'memory') return undefined;
      throw error;
    }
  }

  #assertSerializable(records: Batch, reservedBytes: number): void {
    try {
      assertSerializable(records);
    } catch (error) {
      this.#options.budget.release(reservedBytes);
      throw error;
    }
  }

  /** RP2. False if nothing can be dropped. */
  #dropOldest(): boolean {
    while (this.#takenAt < this.#taken.length) {
      const dropped = (this.#taken[this.#takenAt++] as RetainedLog).dropFirst();
      if (this.#takenAt * 2 > this.#taken.length) {
        this.#taken = this.#taken.slice(this.#takenAt);
        this.#takenAt = 0;
      }
      if (dropped === undefined) continue;
      this.#options.budget.release(dropped.reservedBytes);
      this.#memoryBytes -= dropped.reservedBytes;
      if (!this.#isTruncated) {
        this.#isTruncated = true;
        this.#options.truncated?.();
      }
      return true;
    }
    return false;
  }

  #writeToFile(log: RetainedLog, batch: RetainedBatch, frame: Uint8Array): void {
    this.#file ??= this.#options.spillStore.create(this.id);
    const index = log.length;
    const recent = this.#isReadEarly ? inStep : 0;
    // Nobody can ask for it before it is written.
    if (!this.#isReadEarly) batch.records = undefined;
    this.#unwritten++;
    this.#file.append(frame, (error, offset) => {
      this.#unwritten--;
      if (this.#phase === 'released') return;
      if (error === undefined) {
        batch.written = { offset, bytes: frame.length };
        this.#spilledBytes += frame.length;
        if (index < log.length - recent) batch.records = undefined;
      } else {
        this.#failure ??= error;
      }
      this.#finishIfWritten();
      if (error !== undefined || this.#unwritten === mostUnwritten - 1) this.#listener?.();
    });
    const old = log.batchAt(index - recent);
    if (old?.written !== undefined) old.records = undefined;
  }

  #finishIfWritten(): void {
    if (this.#phase !== 'finishing' || this.#unwritten > 0) return;
    const done = this.#finished;
    this.#finished = undefined;
    if (this.#failure === undefined) {
      this.#phase = 'finished';
      for (const log of this.#logs) log?.advance();
    }
    done?.(this.#failure);
  }

  #noteTaken(log: RetainedLog): void {
    this.#noteCrowd(log);
    const { retention, budget } = this.#options;
    if (retention !== 'memory') return;
    this.#taken.push(log);
    while (budget.isExceeded && this.#dropOldest());
  }

  #noteCrowd(log: RetainedLog): void {
    if (this.#options.retention !== 'memory') return;
    if (log.isRead && log.length - log.position >= crowded) {
      this.#crowdedLogs.add(log);
      this.#leaveBudget ??= this.#options.budget.onRelief(() => this.#listener?.());
    } else if (this.#crowdedLogs.delete(log) && this.#crowdedLogs.size === 0) {
      this.#leaveBudget?.();
      this.#leaveBudget = undefined;
      this.#listener?.();
    }
  }

  #fetch(batch: RetainedBatch | undefined, done: (error: Error | undefined, records: Batch) => void): void {
    if (batch === undefined) {
      done(new PartitionLostError(this.id, 'a batch was dropped'), []);
    } else if (batch.records !== undefined) {
      done(undefined, batch.records);
    } else {
      const { offset, bytes } = batch.written as NonNullable<RetainedBatch['written']>;
      const file = this.#file as SpillFile;
      readBack({ id: this.id, file, offset, bytes, freeze: this.#options.freeze ?? false }, done);
    }
  }
}
