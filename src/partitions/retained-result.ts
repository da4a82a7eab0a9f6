import { isDeepStrictEqual } from 'node:util';
import { DeterminismBrokenError, IllegalStateError, PartitionLostError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { ByteBudget } from './byte-budget.ts';
import { DiskRoom, type DiskRoomOptions } from './disk-room.ts';
import { MemoryRoom, type Retention } from './memory-room.ts';
import { readBack } from './read-back.ts';
import { type BatchPlace, encodeBatch, frameChecksum } from './record-codec.ts';
import { Reproduction } from './reproduction.ts';
import type { PartitionStatistics, SubpartitionView } from './result-partition.ts';
import { ResultTrace } from './result-trace.ts';
import { type RetainedBatch, RetainedLog } from './retained-log.ts';
import type { SpillFile, SpillStore } from './spill-store.ts';
import { StoredView } from './stored-view.ts';
import type { Batch } from './stream-element.ts';

/** Batches that may be on their way to the disk before the producer has to wait. */
const mostUnwritten = 8;

/** Batches of a subpartition that stay in memory although they are written: a reader in step needs no read. */
const inStep = 4;

/**
 * When what is written is made safe against a crash of the machine: when the result is complete (and at checkpoints),
 * with every write, or when the system sees fit.
 */
export type SyncPolicy = 'checkpoint' | 'write' | 'never';

export interface RetainedResultOptions {
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly retention: Retention;
  /** Of memory. */
  readonly budget: ByteBudget;
  /** What may be taken of the disk. Default: all of it. */
  readonly disk?: DiskRoomOptions;
  readonly spillStore: SpillStore;
  /** Default `never`. */
  readonly sync?: SyncPolicy;
  /** Whether its producer may produce it again: what is dropped leaves its checksum. */
  readonly isReproducible?: boolean;
  /** Whether records that come back from a file are frozen like those they were written from. */
  readonly freeze?: boolean;
  /** Hears that the beginning was dropped: who starts to read from now on needs the producer to run again. */
  readonly truncated?: () => void;
  /** What is left of it from earlier attempts, which were complete and given up: it is produced again. */
  readonly before?: ResultTrace;
}

/**
 * A result that is kept, whichever attempts of its producer write it: its batches in memory and in files, and its
 * readers. A reader that starts anew gets everything from the beginning, or from the record it asks for. Depending on the
 * exchange it is read while it is written, or when it is complete.
 *
 * Invariants (those of memory are MR1 to MR4, of the disk DR1 and DR2):
 * - RP1 A reader that is in step gets the very batches that were written, without a read from the disk. One that has to
 *   wait for the end sees the whole result or an error, never a part that looks whole.
 * - RP2 What was dropped, or cannot be read back as it was written, is a lost partition, never a gap.
 * - RP3 Released, it holds nothing. Records that might have to be written are refused although there is room, if they
 *   cannot be.
 * - RP4 Produced again, it is what it was, record by record, or the attempt that claims so fails; what is there already is
 *   written to nobody twice, and readers of what is missing wait for it.
 */
export class RetainedResult {
  readonly #options: RetainedResultOptions;
  #id: ResultPartitionId;
  /** Whether readers may come before it is complete. */
  readonly #isReadEarly: boolean;
  readonly #logs: (RetainedLog | undefined)[] = [];
  readonly #memory: MemoryRoom;
  readonly #disk: DiskRoom;
  #file: SpillFile | undefined;
  #phase: 'open' | 'finishing' | 'finished' | 'released' = 'open';
  /** Whether some attempt has produced all of it, so that its end is known. */
  #isWhole = false;
  #reproduction: Reproduction | undefined;
  /** Batches on their way into the file. */
  #underWay = new Set<RetainedBatch>();
  /** Readings that failed on bytes which are being produced again. */
  readonly #stalled = new Map<RetainedBatch, (() => void)[]>();
  #unwritten = 0;
  #failure: Error | undefined;
  #listener: (() => void) | undefined;
  #finished: ((error?: Error) => void) | undefined;
  #records = 0;
  #batches = 0;

  constructor(id: ResultPartitionId, options: RetainedResultOptions) {
    const { exchange, retention, budget, isReproducible = false, truncated = () => {} } = options;
    this.#id = id;
    this.#options = options;
    this.#isReadEarly = exchange.consumption !== 'after-producer-finished';
    const changed = (): void => this.#listener?.();
    this.#memory = new MemoryRoom({ retention, budget, isReproducible, truncated, changed });
    this.#disk = new DiskRoom(options.disk, (failure) => {
      this.#failure ??= failure;
      this.#listener?.();
    });
    if (options.before !== undefined) this.#follow(options.before);
  }

  get isWritable(): boolean {
    if (this.#isUnread) return true;
    if (this.#unwritten >= mostUnwritten) return false;
    if (this.#failure === undefined && this.#memory.needsDisk && this.#disk.isFull) return false;
    return !this.#memory.isFull;
  }

  /** Whether a reader that starts now finds the beginning. */
  get isReadableFromStart(): boolean {
    return this.#phase !== 'released' && !this.#memory.isTruncated && this.#failure === undefined;
  }

  onWritable(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }

  write(subpartition: number, records: Batch): void {
    if (this.#isUnread) return;
    if (this.#phase !== 'open') {
      throw new IllegalStateError(`A batch was written to partition ${this.#id.partition}, which is ${this.#phase}`);
    }
    if (this.#failure !== undefined) throw this.#failure;
    const log = this.#log(subpartition);
    const fresh = this.#reproduction?.take(subpartition, records) ?? records;
    // A reader of what was put back may have been the last.
    if (fresh.length === 0 || this.#isUnread) return;
    const { recordCount: sequence } = log;
    if (this.#isWhole) throw new DeterminismBrokenError(this.#id, subpartition, sequence, 'more records than before');
    const count = fresh.length;
    const batch: RetainedBatch = {
      sequence,
      count,
      records: fresh,
      reservedBytes: 0,
      written: undefined,
      checksum: undefined,
    };
    this.#keep(log, log.length, batch, fresh);
    log.append(batch);
    this.#records += count;
    this.#batches++;
    this.#memory.noteCrowd(log);
    log.advance();
  }

  finish(done: (error?: Error) => void): void {
    if (this.#isUnread) {
      done();
      return;
    }
    if (this.#phase === 'released') {
      done(this.#released());
      return;
    }
    const shortfall = this.#shortfall();
    if (shortfall !== undefined) {
      done(shortfall);
      return;
    }
    if (this.#phase === 'open') this.#phase = 'finishing';
    this.#disk.stopWaiting();
    this.#finished = done;
    this.#finishIfWritten();
  }

  read(subpartition: number, fromRecord = 0): SubpartitionView {
    if (this.#phase === 'released') throw this.#released();
    const log = this.#log(subpartition);
    if (!this.#isReadEarly && !this.#isWhole) {
      throw new IllegalStateError(`Partition ${this.#id.partition} is read before it has finished`);
    }
    const batch = log.indexOf(fromRecord);
    const firstRecord = log.batchAt(batch)?.sequence ?? log.recordCount;
    if (batch < log.first || firstRecord > fromRecord) {
      throw new PartitionLostError(
        this.#id,
        `its first ${log.first} batches were dropped when the memory budget was used up`,
      );
    }
    const view: StoredView = new StoredView({
      start: { batch, skippedRecords: fromRecord - firstRecord },
      batchCount: () => log.length,
      placeOf: (index) => log.placeOf(index),
      bytesOf: (index) => log.batchAt(index)?.written?.bytes ?? 0,
      isComplete: () => this.#isWhole,
      fetch: (index, done) => this.#fetch(subpartition, log.batchAt(index), done),
      opened: () => {
        // RL2.
        if (view.position < log.first) view.lose(new PartitionLostError(this.#id, 'its beginning was dropped'));
        else this.#memory.noteCrowd(log);
      },
      taken: () => this.#memory.noteTaken(log),
      closed: (closed) => {
        log.detach(closed);
        this.#memory.noteCrowd(log);
      },
    });
    log.attach(view);
    return view;
  }

  verify(done: (error?: Error) => void): void {
    if (this.#phase === 'released') done(this.#released());
    else if (this.#file === undefined) done();
    else {
      this.#file.verify((error) => {
        done(error && new PartitionLostError(this.#id, error.message, { cause: error, location: error }));
      });
    }
  }

  statistics(): PartitionStatistics {
    return {
      records: this.#records,
      batches: this.#batches,
      memoryBytes: this.#memory.usedBytes,
      spilledBytes: this.#disk.usedBytes,
    };
  }

  /**
   * What another attempt can be compared with when this is released: nothing if it is not complete, or if some of it was
   * never written, so that it has no checksum.
   */
  trace(): ResultTrace | undefined {
    if (!this.#isWhole || this.#phase === 'released') return undefined;
    const batches: { readonly count: number; readonly checksum: number }[][] = [];
    for (const log of this.#logs) {
      if (log === undefined) continue;
      const those: { readonly count: number; readonly checksum: number }[] = [];
      for (const { count, checksum } of log.kept()) {
        if (checksum === undefined) return undefined;
        those.push({ count, checksum });
      }
      batches[log.subpartition] = those;
    }
    return new ResultTrace(Array.from(batches));
  }

  /** RP4. A new attempt writes it from the beginning; readers stay where they are. */
  resume(id: ResultPartitionId, isLost: boolean): void {
    if (this.#phase === 'released') throw this.#released();
    this.#id = id;
    this.#phase = 'open';
    const failed = this.#failure !== undefined;
    this.#failure = undefined;
    this.#finished = undefined;
    this.#disk.stopWaiting();
    // What the disk did not take, or might have forgotten, is written anew.
    if (isLost || failed) this.#giveUpFile();
    const logs = this.#logs.filter((log) => log !== undefined);
    for (const log of logs) log.restart();
    this.#memory.restart(logs);
    this.#reproduction = this.#reproductionOf();
  }

  release(): void {
    if (this.#phase === 'released') return;
    this.#phase = 'released';
    this.#disk.close();
    this.#memory.close();
    const lost = this.#released();
    for (const log of this.#logs) log?.lose(lost);
    this.#logs.length = 0;
    this.#stalled.clear();
    this.#file?.remove();
    const finished = this.#finished;
    this.#finished = undefined;
    // Everything was compared; what is still on its way to the disk nobody needs.
    finished?.(this.#isWhole ? undefined : lost);
    if (this.#isWhole) this.#listener?.();
  }

  /** Everything that was there is missing, and will come again. */
  #follow(before: ResultTrace): void {
    for (let subpartition = 0; subpartition < before.subpartitionCount; subpartition++) {
      const log = this.#log(subpartition);
      for (let batch = 0; batch < before.batchCount(subpartition); batch++) {
        log.append({
          sequence: log.recordCount,
          count: before.recordCount(subpartition, batch),
          records: undefined,
          reservedBytes: 0,
          written: undefined,
          checksum: before.checksum(subpartition, batch),
        });
      }
      log.restart();
      this.#records += log.recordCount;
      this.#batches += log.length;
    }
    this.#isWhole = true;
    this.#reproduction = this.#reproductionOf();
  }

  #reproductionOf(): Reproduction {
    const lengths = this.#logs.map((log) => log?.length ?? 0);
    return new Reproduction(
      {
        batchCount: (subpartition) => lengths[subpartition] ?? 0,
        recordCount: (subpartition, index) => this.#log(subpartition).batchAt(index)?.count ?? 0,
      },
      (subpartition, index, records) => this.#putBack(subpartition, index, records),
    );
  }

  /** Whether everybody has read it, and it was given up, while its producer produces it again. */
  get #isUnread(): boolean {
    return this.#phase === 'released' && this.#isWhole;
  }

  #released(): PartitionLostError {
    return new PartitionLostError(this.#id, 'it was released');
  }

  #log(subpartition: number): RetainedLog {
    const known = this.#logs[subpartition];
    if (known !== undefined) return known;
    const { subpartitionCount } = this.#options;
    if (!(subpartition >= 0 && subpartition < subpartitionCount)) {
      throw new IllegalStateError(
        `Partition ${this.#id.partition} has ${subpartitionCount} subpartitions, and no number ${subpartition}`,
      );
    }
    const log = new RetainedLog(subpartition);
    this.#logs[subpartition] = log;
    return log;
  }

  #batchAt(subpartition: number, index: number): RetainedBatch {
    return this.#log(subpartition).batchAt(index) as RetainedBatch;
  }

  /**
   * Gives the batch its place: in memory, in the file, or (until it is written, and for a while longer) in both. False if
   * it was dropped at once, to make room for itself.
   */
  #keep(log: RetainedLog, index: number, batch: RetainedBatch, records: Batch): boolean {
    const isInMemory = this.#memory.tryKeep(log, index, batch, records);
    if (index < log.first) {
      if (isInMemory) this.#memory.forget(log, batch);
      return false;
    }
    batch.records = records;
    if (isInMemory) return true;
    const frame = this.#frameOf(records, { subpartition: log.subpartition, sequence: batch.sequence });
    if (frame !== undefined) this.#writeToFile(log, index, batch, frame);
    return true;
  }

  /** Undefined for records that cannot be written and need not be: they stay in memory. */
  #frameOf(records: Batch, place: BatchPlace): Uint8Array | undefined {
    try {
      return encodeBatch(records, place);
    } catch (error) {
      if (this.#options.retention === 'memory') return undefined;
      throw error;
    }
  }

  #writeToFile(log: RetainedLog, index: number, batch: RetainedBatch, frame: Uint8Array): void {
    const file = (this.#file ??= this.#options.spillStore.create(this.#id));
    this.#disk.take(frame.length);
    const recent = this.#isReadEarly ? inStep : 0;
    batch.checksum = frameChecksum(frame);
    this.#unwritten++;
    this.#underWay.add(batch);
    const settle = (error: Error | undefined, offset: number): void => {
      this.#unwritten--;
      if (this.#phase === 'released') return;
      // Otherwise it was given up while it was written.
      if (file === this.#file) {
        this.#underWay.delete(batch);
        if (error === undefined) {
          batch.written = { offset, bytes: frame.length };
          if (index < log.length - recent) batch.records = undefined;
        } else {
          this.#disk.giveBack(frame.length);
          this.#failure ??= error;
        }
      }
      this.#finishIfWritten();
      if (error !== undefined || this.#unwritten === mostUnwritten - 1) this.#listener?.();
    };
    file.append(frame, (error, offset) => {
      if (error !== undefined || this.#options.sync !== 'write') settle(error, offset);
      else file.sync((unsynced) => settle(unsynced, offset));
    });
    const old = log.batchAt(index - recent);
    if (old?.written !== undefined && old.reservedBytes === 0) old.records = undefined;
  }

  #finishIfWritten(): void {
    if (this.#phase !== 'finishing' || this.#unwritten > 0) return;
    const done = this.#finished;
    if (done === undefined) return;
    if (this.#failure !== undefined || this.#file === undefined || this.#options.sync !== 'checkpoint') {
      this.#complete(done);
      return;
    }
    this.#file.sync((error) => {
      // Otherwise it was released, or the next attempt has taken over.
      if (this.#finished !== done) return;
      this.#failure ??= error;
      this.#complete(done);
    });
  }

  #complete(done: (error?: Error) => void): void {
    this.#finished = undefined;
    if (this.#failure === undefined) {
      this.#phase = 'finished';
      this.#isWhole = true;
      for (const log of this.#logs) log?.advance();
    }
    done(this.#failure);
  }

  #fetch(
    subpartition: number,
    batch: RetainedBatch | undefined,
    done: (error: Error | undefined, records: Batch) => void,
  ): void {
    if (batch === undefined) {
      done(new PartitionLostError(this.#id, 'a batch was dropped'), []);
      return;
    }
    if (batch.records !== undefined) {
      done(undefined, batch.records);
      return;
    }
    const { written } = batch;
    if (written === undefined) {
      const stalled = this.#stalled.get(batch) ?? [];
      this.#stalled.set(batch, [...stalled, () => this.#fetch(subpartition, batch, done)]);
      return;
    }
    const { offset, bytes } = written;
    const place = { subpartition, sequence: batch.sequence };
    const freeze = this.#options.freeze ?? false;
    readBack({ id: this.#id, file: this.#file as SpillFile, offset, bytes, place, freeze }, (error, records) => {
      // RP4: what was given up meanwhile is on its way again.
      if (error !== undefined && batch.written !== written && this.#phase !== 'released') {
        this.#fetch(subpartition, batch, done);
      } else done(error, records);
    });
  }

  /** Everything in the file is given up; what is in memory stays. */
  #giveUpFile(): void {
    this.#file?.remove();
    this.#file = undefined;
    this.#underWay = new Set();
    this.#disk.giveBackAll();
    for (const log of this.#logs) for (const batch of log?.kept() ?? []) batch.written = undefined;
  }

  /** RP4. A batch that was produced before is there again: the same, or the claim is broken. */
  #putBack(subpartition: number, index: number, records: Batch): void {
    if (this.#phase === 'released') return;
    const log = this.#log(subpartition);
    const batch = this.#batchAt(subpartition, index);
    if (!this.#isSame(batch, records, { subpartition, sequence: batch.sequence })) {
      throw new DeterminismBrokenError(this.#id, subpartition, batch.sequence, 'other records');
    }
    const isThere = batch.reservedBytes > 0 || batch.written !== undefined || this.#underWay.has(batch);
    if (isThere || index < log.first) return;
    if (!this.#memory.isWorthKeeping(log, index, records)) {
      for (const skipped of log.skipTo(index + 1)) this.#memory.forget(log, skipped);
      return;
    }
    if (!this.#keep(log, index, batch, records)) return;
    const stalled = this.#stalled.get(batch) ?? [];
    this.#stalled.delete(batch);
    for (const go of stalled) go();
    log.noteFilled();
    this.#memory.noteCrowd(log);
  }

  #isSame({ records, checksum }: RetainedBatch, again: Batch, place: BatchPlace): boolean {
    if (records !== undefined) return isDeepStrictEqual(records, again);
    if (checksum === undefined) return true;
    const frame = this.#frameOf(again, place);
    return frame !== undefined && frameChecksum(frame) === checksum;
  }

  /** The claim is broken by an attempt that ends before it has produced everything again. */
  #shortfall(): DeterminismBrokenError | undefined {
    for (let subpartition = 0; subpartition < this.#logs.length; subpartition++) {
      const missing = this.#reproduction?.missing(subpartition);
      if (missing === undefined) continue;
      const { sequence, count } = this.#batchAt(subpartition, missing.batch);
      const difference = `it ended ${count - missing.produced} or more records early`;
      return new DeterminismBrokenError(this.#id, subpartition, sequence, difference);
    }
    return undefined;
  }
}
