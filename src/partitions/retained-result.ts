import { DeterminismBrokenError, IllegalStateError, PartitionLostError } from '../errors.ts';
import type { ResultPartitionId } from '../ids.ts';
import { Comparison } from './comparison.ts';
import { MemoryRoom } from './memory-room.ts';
import { batchChecksum, type BatchPlace, encodeBatch } from './record-codec.ts';
import { Reproduction } from './reproduction.ts';
import { ResultFile } from './result-file.ts';
import type { PartitionStatistics, SubpartitionView } from './result-partition.ts';
import type { ResultTrace } from './result-trace.ts';
import type { RetainedBatch, RetainedLog } from './retained-log.ts';
import { StoredView } from './stored-view.ts';
import type { Batch } from './stream-element.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';
import { SubpartitionLogs } from './subpartition-logs.ts';

/** Batches of a subpartition that stay in memory although they are written: a reader in step needs no read. */
const inStep = 4;

type Phase =
  | { readonly kind: 'open' }
  | { readonly kind: 'finishing'; readonly done: (error?: Error) => void }
  | { readonly kind: 'finished' }
  /** What it was to end with could not be kept, and the attempt was told. */
  | { readonly kind: 'failed' }
  /** Nobody needed more, and some of it was dropped or never produced. */
  | { readonly kind: 'curtailed' }
  /** With a comparison if it was whole, and is still produced again. */
  | { readonly kind: 'released'; readonly comparison: Comparison | undefined };

/**
 * A result that is kept, whichever attempts of its producer write it: its batches in memory and in files, and its
 * readers. A reader that starts anew gets everything from the beginning, or from the record it asks for. Depending on the
 * exchange it is read while it is written, or when it is complete.
 *
 * Invariants (those of memory are MR1 to MR4, of the file RF1 and RF2, of the disk DR1 and DR2):
 * - RP1 A reader that is in step gets the very batches that were written, without a read from the disk. One that has to
 *   wait for the end sees the whole result or an error, never a part that looks whole.
 * - RP2 What was dropped, or cannot be read back as it was written, is a lost partition, never a gap.
 * - RP3 Released, it holds nothing. Records that might have to be written are refused although there is room, if they
 *   cannot be.
 * - RP4 Produced again, it is what it was, record by record, or the attempt that claims so fails; what is there already is
 *   written to nobody twice, and readers of what is missing wait for it. That holds also if everybody has read it meanwhile,
 *   and it is released.
 * - RP5 Once every reader was dismissed it is needed no more, unless it is kept for later: what is written then is dropped,
 *   and from the first drop on, or an end before everything was written, nobody begins to read this attempt's result. A
 *   reader that only went away needs it still; so does one that has not come.
 * - RP6 It may be released while it is written: that ends the need, and the attempt that writes it hears of no error.
 */
export class RetainedResult {
  readonly #options: RetainedResultOptions;
  #id: ResultPartitionId;
  /** Whether readers may come before it is complete. */
  readonly #isReadEarly: boolean;
  readonly #logs: SubpartitionLogs;
  readonly #memory: MemoryRoom;
  readonly #file: ResultFile;
  #phase: Phase = { kind: 'open' };
  /** Whether some attempt has produced all of it, so that its end is known. */
  #isWhole = false;
  #reproduction: Reproduction | undefined;
  /** Batches that were there when the producing again began, and those of them that are still to be put back. */
  #batchesBefore = 0;
  #missingBatches = 0;
  /** Readings that failed on bytes which are being produced again. */
  readonly #stalled = new Map<RetainedBatch, (() => void)[]>();
  #listener: (() => void) | undefined;
  #records = 0;
  #batches = 0;

  constructor(id: ResultPartitionId, options: RetainedResultOptions) {
    const { exchange, retention, budget, isReproducible = false, truncated = () => {} } = options;
    this.#id = id;
    this.#options = options;
    this.#logs = new SubpartitionLogs(id.partition, options.subpartitionCount);
    this.#isReadEarly = exchange.consumption !== 'after-producer-finished';
    const changed = (): void => {
      if (this.#phase.kind !== 'released') this.#listener?.();
    };
    this.#memory = new MemoryRoom({ retention, budget, isReproducible, truncated, changed });
    const { spillStore, disk, sync = 'never', freeze = false } = options;
    this.#file = new ResultFile(id, {
      spillStore,
      disk,
      sync,
      freeze,
      inStep: this.#isReadEarly ? inStep : 0,
      changed,
    });
    if (options.before !== undefined) this.#follow(options.before);
  }

  get isWritable(): boolean {
    if (!this.isNeeded) return true;
    return !this.#file.isBusy && !this.#lacksDisk && !this.#memory.isFull;
  }

  /** RP5, RP6. */
  get isNeeded(): boolean {
    if (this.#phase.kind === 'released' || this.#phase.kind === 'curtailed') return false;
    return this.#options.keepsAll === true || !this.#logs.areDismissed;
  }

  waitForRoom(): void {
    if (this.#phase.kind === 'open' && !this.#file.isBusy && this.#lacksDisk) this.#file.waitForRoom();
  }

  onWritable(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }

  write(subpartition: number, records: Batch): void {
    if (this.#comparison !== undefined) {
      this.#comparison.take(subpartition, records);
      return;
    }
    if (this.#phase.kind === 'released') return;
    this.#assertOpen();
    if (this.#file.failure !== undefined && this.isNeeded) throw this.#file.failure;
    const fresh = this.#reproduction?.take(subpartition, records) ?? records;
    if (fresh.length > 0) this.#append(subpartition, fresh);
  }

  finish(done: (error?: Error) => void): void {
    if (this.#comparison !== undefined) {
      done(this.#comparison.shortfall());
      return;
    }
    if (this.#phase.kind === 'released') {
      done();
      return;
    }
    const shortfall = this.#shortfall();
    if (shortfall !== undefined || this.#phase.kind === 'curtailed') {
      done(shortfall);
      return;
    }
    this.#phase = { kind: 'finishing', done };
    this.#file.finish((failure) => this.#complete(done, failure));
  }

  /** RP5. */
  curtail(done: (error?: Error) => void): void {
    if (this.#phase.kind === 'released') {
      done();
      return;
    }
    if (!this.#isWhole || this.#missingBatches > 0) {
      this.#dropRest();
      done();
      return;
    }
    this.#phase = { kind: 'finishing', done };
    this.#file.finish((failure) => {
      this.#complete(() => {}, failure);
      if (failure !== undefined) this.#dropRest();
      done();
    });
  }

  read(subpartition: number, fromRecord = 0): SubpartitionView {
    if (this.#phase.kind === 'released') throw this.#released();
    if (this.#phase.kind === 'curtailed') throw this.#cut();
    const log = this.#logs.of(subpartition);
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
      dismissed: () => this.#dismiss(log),
      closed: (closed) => {
        log.detach(closed);
        this.#memory.noteCrowd(log);
      },
    });
    this.#logs.expectReader(log);
    log.attach(view);
    return view;
  }

  verify(done: (error?: Error) => void): void {
    if (this.#phase.kind === 'released') done(this.#released());
    else if (this.#phase.kind === 'curtailed') done(this.#cut());
    else this.#file.verify(done);
  }

  statistics(): PartitionStatistics {
    return {
      records: this.#records,
      batches: this.#batches,
      memoryBytes: this.#memory.usedBytes,
      spilledBytes: this.#file.usedBytes,
    };
  }

  /**
   * What another attempt can be compared with when this is released, as far as it came: nothing if some of it was never
   * written, so that it has no checksum.
   */
  trace(): ResultTrace | undefined {
    return this.#phase.kind === 'released' ? undefined : this.#logs.trace(this.#isWhole);
  }

  /**
   * RP4. A new attempt writes it from the beginning; readers stay where they are.
   * @throws IllegalStateError if nothing is left of a part that was dropped, so that it could not be compared
   */
  resume(id: ResultPartitionId, isLost: boolean): void {
    if (this.#phase.kind === 'released') throw this.#released();
    if (!this.#options.isReproducible && this.#memory.isTruncated) {
      throw new IllegalStateError(
        `Partition ${id.partition} was not to be produced again, and nothing is left of the part that was dropped: it has to be begun anew`,
      );
    }
    this.#id = id;
    this.#phase = { kind: 'open' };
    const logs = [...this.#logs];
    this.#file.restart(id, isLost, logs);
    this.#logs.restart();
    this.#memory.restart(logs);
    this.#reproduction = this.#reproductionOf();
  }

  release(): void {
    if (this.#phase.kind === 'released') return;
    const before = this.#phase;
    const comparison = before.kind === 'open' && this.#isWhole ? this.#comparisonOfRest() : undefined;
    this.#phase = { kind: 'released', comparison };
    this.#file.close();
    this.#memory.close();
    const lost = this.#released();
    this.#logs.lose(lost);
    this.#stalled.clear();
    // RP6: what is still on its way to the disk nobody needs.
    if (before.kind === 'finishing') before.done();
    if (before.kind === 'open') this.#listener?.();
  }

  #dismiss(log: RetainedLog): void {
    if (log.isDismissed || this.#phase.kind === 'released') return;
    const { position } = log;
    this.#logs.dismiss(log);
    this.#memory.noteDismissed(log, position);
    if (!this.isNeeded) this.#listener?.();
  }

  /** RP5. It will not be all there. */
  #dropRest(): void {
    if (this.#phase.kind === 'curtailed') return;
    this.#phase = { kind: 'curtailed' };
    this.#options.curtailed?.();
  }

  /** Everything that was there is missing, and will come again. */
  #follow(before: ResultTrace): void {
    for (let subpartition = 0; subpartition < before.subpartitionCount; subpartition++) {
      const log = this.#logs.of(subpartition);
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
    this.#isWhole = before.isWhole;
    this.#reproduction = this.#reproductionOf();
  }

  #reproductionOf(): Reproduction {
    const { lengths } = this.#logs;
    this.#batchesBefore = this.#batches;
    this.#missingBatches = 0;
    for (const log of this.#logs) for (const batch of log.kept()) if (!this.#isThere(batch)) this.#missingBatches++;
    return new Reproduction(
      {
        batchCount: (subpartition) => lengths[subpartition] ?? 0,
        recordCount: (subpartition, index) => this.#logs.of(subpartition).batchAt(index)?.count ?? 0,
      },
      (subpartition, index, records) => this.#putBack(subpartition, index, records),
    );
  }

  /** What is written is only compared: it was given up, while its producer produces it again. */
  get #comparison(): Comparison | undefined {
    return this.#phase.kind === 'released' ? this.#phase.comparison : undefined;
  }

  /** Of what is in memory alone, and is still to come again, the checksums are made now. */
  #comparisonOfRest(): Comparison | undefined {
    const reproduction = this.#reproduction;
    if (reproduction === undefined) return undefined;
    return new Comparison(this.#id, this.#logs.traceOfRest(reproduction), reproduction);
  }

  /** Records that were not produced before. */
  #append(subpartition: number, records: Batch): void {
    // A reader of what was put back may have been the last.
    this.#comparison?.assertNone(subpartition, records);
    if (this.#phase.kind === 'released') return;
    this.#assertOpen();
    const log = this.#logs.of(subpartition);
    const { recordCount: sequence } = log;
    if (this.#isWhole) throw new DeterminismBrokenError(this.#id, subpartition, sequence, 'more records than before');
    if (!this.isNeeded) {
      this.#dropRest();
      return;
    }
    const { length: count } = records;
    const batch: RetainedBatch = {
      sequence,
      count,
      records,
      reservedBytes: 0,
      written: undefined,
      checksum: undefined,
    };
    const isKept = !log.isDismissed || this.#memory.isWorthKeeping(log, log.length, records);
    if (isKept) this.#keep(log, log.length, batch, records);
    log.append(batch);
    if (!isKept) for (const skipped of log.skipTo(log.length)) this.#memory.forget(log, skipped);
    else if (log.isDismissed) this.#memory.noteTaken(log);
    this.#records += count;
    this.#batches++;
    this.#memory.noteCrowd(log);
    log.advance();
  }

  #assertOpen(): void {
    if (this.#phase.kind === 'open' || this.#phase.kind === 'curtailed') return;
    throw new IllegalStateError(`A batch was written to partition ${this.#id.partition}, which is ${this.#phase.kind}`);
  }

  /** Whether everything that came so far is there already, and so is what comes next, if anything does. */
  get #isRepeating(): boolean {
    return this.#reproduction !== undefined && this.#missingBatches === 0 && this.#batches === this.#batchesBefore;
  }

  get #lacksDisk(): boolean {
    return !this.#isRepeating && this.#memory.needsDisk && this.#file.isDiskFull;
  }

  #isThere(batch: RetainedBatch): boolean {
    return batch.reservedBytes > 0 || this.#file.holds(batch);
  }

  #cut(): PartitionLostError {
    return new PartitionLostError(this.#id, 'nobody needed the rest of it, which was not produced');
  }

  #released(): PartitionLostError {
    return new PartitionLostError(this.#id, 'it was released');
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
    if (frame !== undefined) this.#file.write(log, index, batch, frame);
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

  #complete(done: (error?: Error) => void, failure: Error | undefined): void {
    this.#phase = { kind: failure === undefined ? 'finished' : 'failed' };
    if (failure === undefined) {
      this.#isWhole = true;
      for (const log of this.#logs) log.advance();
    }
    done(failure);
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
    this.#file.read(subpartition, batch, (error, records) => {
      // RP4: what was given up meanwhile is on its way again.
      if (error !== undefined && batch.written !== written && this.#phase.kind !== 'released') {
        this.#fetch(subpartition, batch, done);
      } else done(error, records);
    });
  }

  /** RP4. A batch that was produced before is there again: the same, or the claim is broken. */
  #putBack(subpartition: number, index: number, records: Batch): void {
    if (this.#phase.kind === 'released') return;
    const log = this.#logs.of(subpartition);
    const batch = this.#logs.batchAt(subpartition, index);
    if (!this.#isSame(batch, records, { subpartition, sequence: batch.sequence })) {
      throw new DeterminismBrokenError(this.#id, subpartition, batch.sequence, 'other records');
    }
    if (this.#isThere(batch) || index < log.first) return;
    if (!this.isNeeded) {
      this.#dropRest();
      return;
    }
    this.#missingBatches--;
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
    const expected = checksum ?? (records && batchChecksum(records, place));
    if (expected !== undefined) return batchChecksum(again, place) === expected;
    // What cannot be written cannot be compared, but for what is the very same.
    return records !== undefined && records.every((record, index) => Object.is(record, again[index]));
  }

  /** The claim is broken by an attempt that ends before it has produced everything again. */
  #shortfall(): DeterminismBrokenError | undefined {
    for (const { subpartition } of this.#logs) {
      const missing = this.#reproduction?.missing(subpartition);
      if (missing === undefined) continue;
      const { sequence, count } = this.#logs.batchAt(subpartition, missing.batch);
      const difference = `it ended ${count - missing.produced} or more records early`;
      return new DeterminismBrokenError(this.#id, subpartition, sequence, difference);
    }
    return undefined;
  }
}
