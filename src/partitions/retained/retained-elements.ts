import type { ResultPartitionId } from '../../ids.ts';
import { type ElementPlace, encodeElement } from '../records/element-codec.ts';
import { assertSerializable } from '../records/plain-data.ts';
import { KeptRecords } from '../kept/kept-records.ts';
import { RecordDivider, type RecordParts } from '../kept/record-parts.ts';
import { ReadAhead } from '../read-ahead.ts';
import type { PartitionStatistics } from '../result-partition.ts';
import { type Batch, recordCountOf, type Records, type WrittenElement } from '../stream-element.ts';
import { FrameCopies } from './frame-copies.ts';
import { MemoryRoom } from './memory-room.ts';
import { ResultFile } from './result-file.ts';
import type { LogEntry, RetainedLog } from './retained-log.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';
import { SubpartitionLogs } from './subpartition-logs.ts';

/**
 * Number of written elements per subpartition that also stay in memory as they are, so that a reader in step gets
 * themselves.
 */
const inStep = 4;

/**
 * The elements of one result, and the place of each: in memory, in the file, or (while it is written, and for a while
 * after) in both.
 *
 * Its invariants are those of the logs (RL1 to RL3), the memory (MR1 to MR4), the copies (CO1, CO2), the file (RF1, RF2)
 * and the disk (DR1, DR2).
 */
export class RetainedElements {
  readonly logs: SubpartitionLogs;
  readonly memory: MemoryRoom;
  readonly file: ResultFile;
  readonly #copies: FrameCopies | undefined;
  readonly #options: RetainedResultOptions;
  readonly #divider: RecordDivider;
  /** The last records that stay in memory. */
  #last: { readonly records: Batch; readonly parts: RecordParts | undefined } | undefined;

  /** @param changed called when a blocked producer may continue, or after a failure */
  constructor(id: ResultPartitionId, options: RetainedResultOptions, changed: () => void) {
    const { exchange, retention, budget, isReproducible = false, truncated = () => {} } = options;
    const { spillStore, disk, sync = 'never', freeze = false } = options;
    this.#options = options;
    this.#divider = new RecordDivider(freeze);
    this.logs = new SubpartitionLogs(id.partition, options.subpartitionCount, options);
    this.#copies = options.copies === true ? new FrameCopies(budget) : undefined;
    this.memory = new MemoryRoom({
      retention,
      budget,
      isReproducible,
      // Parts are primitive values, which can.
      assertWritable: (records) => this.#partsOf(records) ?? assertSerializable(records),
      truncated,
      changed,
    });
    this.file = new ResultFile(id, {
      spillStore,
      disk,
      sync,
      freeze,
      inStep: exchange.consumption === 'after-producer-finished' ? 0 : inStep,
      changed,
    });
  }

  /** Takes over the complete result of an earlier run. */
  adopt({ file, index }: NonNullable<RetainedResultOptions['stored']>): void {
    this.logs.adopt(index);
    this.file.adopt(
      file,
      index.elements.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  /** Whether an attempt that adds no element may write: neither lagging readers nor pending writes stop it. */
  get isInStep(): boolean {
    return !this.memory.isFull && !this.file.isBusy;
  }

  /** Whether one more element may be added. */
  get hasRoom(): boolean {
    const { isFull, needsDisk } = this.memory;
    return !isFull && !this.file.isBusy && !(needsDisk && this.file.isDiskFull);
  }

  statistics(): PartitionStatistics {
    return {
      records: this.logs.recordCount,
      batches: this.logs.batchCount,
      memoryBytes: this.memory.usedBytes,
      spilledBytes: this.file.usedBytes,
    };
  }

  /** The producer has stopped: starts the time limit, if the disk is the reason. */
  waitForRoom(): void {
    if (this.memory.needsDisk && this.file.isDiskFull && !this.file.isBusy) this.file.waitForRoom();
  }

  /** Whether an element is present, or on its way to the file. */
  holds(entry: LogEntry): boolean {
    return entry.reservedBytes > 0 || this.file.holds(entry);
  }

  /** For a new reader. */
  readAhead(): ReadAhead {
    return new ReadAhead(this.#options.budget);
  }

  append(subpartition: number, element: WrittenElement): void {
    const log = this.logs.of(subpartition);
    const entry: LogEntry = {
      sequence: log.recordCount,
      count: recordCountOf(element),
      barrier: element.kind === 'barrier' ? element : undefined,
      element,
      reservedBytes: 0,
      written: undefined,
      copy: undefined,
      checksum: undefined,
    };
    const isKept = !log.isDismissed || this.memory.isWorthKeeping(log, log.length, element);
    if (isKept) this.#keep(log, log.length, entry, element);
    this.logs.append(log, entry);
    if (!isKept) this.#skipTo(log, log.length);
    else if (log.isDismissed) this.memory.noteTaken(log);
    this.memory.noteCrowd(log);
    log.advance();
    this.#letGoBehind(log);
  }

  /** Stores element `index` of a log, which was reproduced. Returns false if there is no room for it, or no need. */
  putBack(log: RetainedLog, index: number, entry: LogEntry, element: WrittenElement): boolean {
    if (!this.memory.isWorthKeeping(log, index, element)) {
      this.#skipTo(log, index + 1);
      return false;
    }
    const isKept = this.#keep(log, index, entry, element);
    letGo(entry);
    return isKept;
  }

  /** The reader of a log was dismissed. */
  dismiss(log: RetainedLog): void {
    const { position } = log;
    this.logs.dismiss(log);
    this.memory.noteDismissed(log, position);
  }

  /**
   * Calls `done` when all elements are as safe as `sync` demands, or with the first failure; without one if it is
   * closed.
   */
  finish(done: (failure: Error | undefined) => void): void {
    this.file.finish((failure) => {
      if (failure === undefined) this.file.seal(() => this.logs.lastingIndex(), done);
      else done(failure);
    });
  }

  /**
   * The next attempt writes them again.
   * @param isLost whether the file is to be removed
   * @param fromRecords by subpartition: the record with which it begins; earlier ones are not needed
   */
  restart(id: ResultPartitionId, isLost: boolean, fromRecords: readonly number[]): void {
    const logs = [...this.logs];
    this.#copies?.clear();
    this.file.restart(id, isLost, logs);
    this.logs.restart();
    if (fromRecords.length > 0) this.forget(fromRecords);
    this.memory.restart(logs);
  }

  /** Nobody reads what is before these records again, by subpartition: frees it. */
  forget(records: readonly number[]): void {
    let isInFile = false;
    for (const [subpartition, end] of records.entries()) {
      const log = this.logs.of(subpartition);
      const gone = log.forgetTo(log.indexOf(end));
      for (const entry of gone) this.memory.discard(entry);
      isInFile = this.file.discard(gone) || isInFile;
    }
    if (isInFile) this.file.shorten(this.logs);
  }

  /** Gives everything back. Readers get `lost`. */
  close(lost: Error): void {
    this.#last = undefined;
    this.memory.close();
    this.#copies?.close();
    this.logs.lose(lost);
    this.file.close();
  }

  /** Stores an element. Returns false if it was dropped at once, to make room. */
  #keep(log: RetainedLog, index: number, entry: LogEntry, element: WrittenElement): boolean {
    const place = this.memory.placeFor(log, index, entry, element);
    if (place === 'nowhere') return false;
    if (place === 'memory') {
      entry.element = this.#kept(element);
      return true;
    }
    entry.element = element;
    const frame = this.#frameOf(element, { subpartition: log.subpartition, sequence: entry.sequence });
    if (frame === undefined) return true;
    this.#copies?.add(entry, frame);
    this.file.write(log, index, entry, frame);
    return true;
  }

  /** An element that stays in memory. */
  #kept(element: WrittenElement): WrittenElement {
    const parts = element.kind === 'records' ? this.#partsOf(element.records) : undefined;
    return parts === undefined ? element : new KeptRecords(parts, (element as Records).records);
  }

  /** If records are broadcast, the logs share their parts. */
  #partsOf(records: Batch): RecordParts | undefined {
    if (this.#last?.records !== records) this.#last = { records, parts: this.#divider.parts(records) };
    return this.#last.parts;
  }

  /** The last element was appended, and read if its readers are in step. */
  #letGoBehind(log: RetainedLog): void {
    const last = log.length - 1;
    letGo(log.entryAt(last - inStep));
    if (!log.isRead || log.position > last) letGo(log.entryAt(last));
  }

  /** Undefined for records that cannot be written and need not be: they stay in memory. */
  #frameOf(element: WrittenElement, place: ElementPlace): Uint8Array | undefined {
    try {
      return encodeElement(element, place);
    } catch (error) {
      if (this.#options.retention === 'memory') return undefined;
      throw error;
    }
  }

  #skipTo(log: RetainedLog, end: number): void {
    for (const skipped of log.skipTo(end)) this.memory.forget(log, skipped);
  }
}

/** From now on, its records are held by property alone, if they are at all. */
function letGo(entry: LogEntry | undefined): void {
  if (entry?.element instanceof KeptRecords) entry.element.letGo();
}
