import { PartitionLostError } from '../../errors/result-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { PartitionStatistics, SubpartitionView } from '../result-partition.ts';
import type { ResultTrace } from '../result-trace.ts';
import type { LentFile } from '../storage/result-index.ts';
import { type ReadResult, ResultReaders } from './result-readers.ts';
import { RetainedElements } from './retained-elements.ts';
import type { LogEntry } from './retained-log.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';

/**
 * A retained result, over all attempts of its producer that write it: its elements and its readers. A restarted
 * reader reads from the beginning, or from a given record. Depending on the exchange, the result is readable while it
 * is written, or once it is complete. Output passes through the `ResultWriter` of the current attempt.
 *
 * Invariants:
 * - RP1 A reader in step gets the written elements themselves, without a read from disk. A reader that has to wait
 *   for the end gets the complete result or an error, never a part that looks complete.
 * - RP2 An element that was dropped, or is not read back as written, is a lost partition, never a gap.
 * - RP3 Once released, it holds nothing. Records that may have to be written but cannot be are refused even if
 *   there is room.
 * - RP4 Reproduced, it is the same, record by record, or the attempt fails. No reader gets an element twice, and
 *   readers of missing elements wait. This holds even if every consumer has read it meanwhile, and it is released.
 * - RP5 It is needed until every reader was dismissed, or always if it must be complete for later readers. Unneeded
 *   output is dropped; from the first drop on, or after an early end, no reader can be opened on this attempt's
 *   result. A reader that only went away still needs it, and so does one that was not opened yet.
 * - RP6 It may be released while it is written: it is then no longer needed, and the writing attempt gets no error.
 */
export class RetainedResult implements ReadResult {
  readonly elements: RetainedElements;
  readonly readers: ResultReaders;
  readonly #options: RetainedResultOptions;
  #id: ResultPartitionId;
  /** `cut`: unneeded output was dropped or never produced, so no reader can be opened. */
  #standing: 'retained' | 'cut' | 'released' = 'retained';
  #listener: (() => void) | undefined;

  constructor(id: ResultPartitionId, options: RetainedResultOptions) {
    this.#id = id;
    this.#options = options;
    this.elements = new RetainedElements(id, options, () => {
      if (!this.isReleased) this.#listener?.();
    });
    this.readers = new ResultReaders(this, options.exchange.consumption !== 'after-producer-finished');
    if (options.before !== undefined) this.elements.logs.follow(options.before);
    if (options.stored !== undefined) this.elements.adopt(options.stored);
  }

  get id(): ResultPartitionId {
    return this.#id;
  }

  get isReleased(): boolean {
    return this.#standing === 'released';
  }

  get isCut(): boolean {
    return this.#standing === 'cut';
  }

  /** RP5, RP6. */
  get isNeeded(): boolean {
    return this.#standing === 'retained' && (this.#options.keepsAll === true || !this.elements.logs.areDismissed);
  }

  /**
   * Calls `listener` when the writing attempt may continue, or should check the state; undefined: it has stopped
   * writing.
   */
  onWritable(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }

  read(subpartition: number, fromRecord = 0): SubpartitionView {
    const lost = this.#lost();
    if (lost !== undefined) throw lost;
    return this.readers.open(subpartition, fromRecord);
  }

  verify(done: (error?: Error) => void): void {
    const lost = this.#lost();
    if (lost !== undefined) done(lost);
    else this.elements.file.verify(done);
  }

  statistics(): PartitionStatistics {
    return this.elements.statistics();
  }

  /**
   * The trace for comparison with another attempt when this one is released, as far as it was written; undefined if
   * an element has no checksum because it was never written.
   */
  trace(): ResultTrace | undefined {
    return this.isReleased ? undefined : this.elements.logs.trace();
  }

  /** What a reader on this machine needs to read a complete subpartition by itself; undefined unless it is in the file. */
  lend(subpartition: number): LentFile | undefined {
    const { logs, file } = this.elements;
    const { shared } = file;
    if (this.#standing !== 'retained' || !logs.areWhole || shared === undefined) return undefined;
    const index = logs.index(subpartition);
    return index === undefined || index.elements.length === 0 ? undefined : { ...index, ...shared };
  }

  /** Everything was written: calls `done` when it is safe and can be read to its end, or with the error. */
  complete(done: (failure: Error | undefined) => void): void {
    this.elements.finish((failure) => {
      if (failure === undefined && !this.isReleased) this.elements.logs.end();
      done(failure);
    });
  }

  /** RP5. It will be incomplete. */
  cut(): void {
    if (this.#standing !== 'retained') return;
    this.#standing = 'cut';
    this.#options.curtailed?.();
  }

  /** A reader was dismissed. */
  noteDismissed(): void {
    if (!this.isNeeded) this.#listener?.();
  }

  /**
   * RP4. A new attempt writes it from the beginning, or from these records on; readers keep their positions.
   * @throws IllegalStateError if a part was dropped without a trace, so it cannot be compared
   */
  resume(id: ResultPartitionId, isLost: boolean, fromRecords: readonly number[]): void {
    if (this.isReleased) throw this.#lost();
    if (!this.canResume(fromRecords, isLost)) {
      throw new IllegalStateError(
        `Partition ${id.partition} was not declared reproducible, and no trace is left of the part that was dropped: it has to be written from the beginning`,
      );
    }
    this.#id = id;
    this.#standing = 'retained';
    this.#listener = undefined;
    this.elements.restart(id, isLost, fromRecords);
  }

  /** Whether everything from these records on is there, or has left a trace. */
  canResume(fromRecords: readonly number[], isLost: boolean): boolean {
    return this.elements.logs.reachesBackTo(fromRecords, (entry) => this.#isThere(entry, isLost));
  }

  /** Whether it is complete, and all of it is there. */
  isIntact(isLost: boolean): boolean {
    const { logs } = this.elements;
    if (!logs.areWhole) return false;
    for (const log of logs) {
      if (log.first > 0) return false;
      for (const entry of log.kept()) if (!this.#isThere(entry, isLost)) return false;
    }
    return true;
  }

  #isThere(entry: LogEntry, isLost: boolean): boolean {
    return this.elements.holds(entry) && !(isLost && entry.written !== undefined);
  }

  /** No restore reads what is before these records. */
  forget(records: readonly number[]): void {
    if (!this.isReleased) this.elements.forget(records);
  }

  /** RP3, RP6. Writes under way are no longer needed; the writing attempt is notified. */
  release(): void {
    if (this.isReleased) return;
    this.#standing = 'released';
    this.readers.close();
    this.elements.close(this.#lost() as PartitionLostError);
    this.#listener?.();
  }

  #lost(): PartitionLostError | undefined {
    switch (this.#standing) {
      case 'retained':
        return undefined;
      case 'cut':
        return new PartitionLostError(this.#id, 'the rest of it was not produced, because no consumer needed it');
      case 'released':
        return new PartitionLostError(this.#id, 'it was released');
    }
  }
}
