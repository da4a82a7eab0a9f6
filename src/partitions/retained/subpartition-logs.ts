import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { PartitionId } from '../../ids.ts';
import { elementChecksum } from '../records/element-codec.ts';
import type { Reproduction, ReproductionStart } from '../reproduced/reproduction.ts';
import { ResultTrace, type TracedElement } from '../result-trace.ts';
import type { IndexedElement, ResultIndex } from '../storage/result-index.ts';
import { type LogEntry, RetainedLog } from './retained-log.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';

/**
 * The logs of one result by subpartition, each created on first use; which of their readers were dismissed, and
 * whether their ends are known.
 */
export class SubpartitionLogs implements Iterable<RetainedLog> {
  readonly #partition: PartitionId;
  readonly #count: number;
  readonly #logs: (RetainedLog | undefined)[] = [];
  #dismissedCount = 0;
  #areWhole = false;
  #recordCount = 0;
  #batchCount = 0;
  #elementCount = 0;
  #newestBarrier = -1;
  readonly #fromRecords: readonly number[];
  /** Whether its beginning is missing: its producer continues from a checkpoint. Logs that are never used cannot tell. */
  readonly isRest: boolean;

  constructor(
    partition: PartitionId,
    subpartitionCount: number,
    { fromRecords = [], isEndOnly = false }: Pick<RetainedResultOptions, 'fromRecords' | 'isEndOnly'> = {},
  ) {
    this.#partition = partition;
    this.#count = subpartitionCount;
    this.#fromRecords = fromRecords;
    this.isRest = isEndOnly || fromRecords.some((from) => from > 0);
  }

  /** @throws IllegalStateError for a subpartition that the result does not have */
  of(subpartition: number): RetainedLog {
    const known = this.#logs[subpartition];
    if (known !== undefined) return known;
    if (!(subpartition >= 0 && subpartition < this.#count)) {
      throw new IllegalStateError(
        `Partition ${this.#partition} has ${this.#count} subpartitions, and none with number ${subpartition}`,
      );
    }
    const log = new RetainedLog(subpartition, this.#fromRecords[subpartition]);
    this.#logs[subpartition] = log;
    return log;
  }

  /** Number of records ever appended, over all logs. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Number of record batches ever appended, over all logs. */
  get batchCount(): number {
    return this.#batchCount;
  }

  /** Number of elements ever appended, over all logs: batches and marks. */
  get elementCount(): number {
    return this.#elementCount;
  }

  /** The newest checkpoint that has a barrier in it, or had one; -1 if none has. */
  get newestBarrier(): number {
    return this.#newestBarrier;
  }

  /** Whether some attempt has produced everything, so the end of each log is known. */
  get areWhole(): boolean {
    return this.#areWhole;
  }

  entryAt(subpartition: number, index: number): LogEntry {
    return this.of(subpartition).entryAt(index) as LogEntry;
  }

  /** The logs that were written to or opened. */
  *[Symbol.iterator](): Iterator<RetainedLog> {
    for (const log of this.#logs) if (log !== undefined) yield log;
  }

  /** Number of elements in each subpartition. */
  get lengths(): number[] {
    return this.#logs.map((log) => log?.length ?? 0);
  }

  /** Whether every subpartition has had a reader, and all of them were dismissed. */
  get areDismissed(): boolean {
    return this.#dismissedCount >= this.#count;
  }

  append(log: RetainedLog, entry: LogEntry): void {
    log.append(entry);
    this.#recordCount += entry.count;
    this.#elementCount++;
    if (entry.count > 0) this.#batchCount++;
    else if (entry.barrier !== undefined) this.#newestBarrier = Math.max(this.#newestBarrier, entry.barrier.checkpoint);
  }

  /** Nothing follows: readers come to an end. */
  end(): void {
    this.#areWhole = true;
    for (const log of this) log.advance();
  }

  /** Lists all elements of an earlier attempt as missing; they will be reproduced. */
  follow(before: ResultTrace): void {
    for (let subpartition = 0; subpartition < before.subpartitionCount; subpartition++) {
      const log = this.of(subpartition);
      for (let index = 0; index < before.elementCount(subpartition); index++) {
        this.append(log, {
          sequence: log.recordCount,
          count: before.recordCount(subpartition, index),
          barrier: before.barrierAt(subpartition, index),
          element: undefined,
          reservedBytes: 0,
          written: undefined,
          copy: undefined,
          checksum: before.checksum(subpartition, index),
        });
      }
      log.restart();
    }
    this.#areWhole = before.isWhole;
  }

  /** Takes over the complete result of an earlier run: everything is in its file. */
  adopt({ elements }: ResultIndex): void {
    for (const { subpartition, count, offset, bytes, checksum } of elements) {
      const log = this.of(subpartition);
      const written = { offset, bytes };
      this.append(log, {
        sequence: log.recordCount,
        count,
        barrier: undefined,
        element: undefined,
        reservedBytes: 0,
        written,
        copy: undefined,
        checksum,
      });
    }
    this.#areWhole = true;
  }

  /**
   * Where everything is in the file, for a later run: without barriers, because one of its checkpoints may have the number of
   * one of this run.
   */
  lastingIndex(): ResultIndex | undefined {
    return this.isRest ? undefined : this.#indexOf(this, ({ barrier }) => barrier === undefined);
  }

  /** Where everything of a subpartition is in the file; undefined if some of it is not there. */
  index(subpartition: number): ResultIndex | undefined {
    return this.#indexOf([this.of(subpartition)], () => true);
  }

  #indexOf(logs: Iterable<RetainedLog>, isWanted: (entry: LogEntry) => boolean): ResultIndex | undefined {
    const elements: IndexedElement[] = [];
    for (const log of logs) {
      if (log.first > 0 || log.firstRecord > 0) return undefined;
      for (const entry of log.kept()) {
        const { count, written, checksum } = entry;
        if (written === undefined || checksum === undefined) return undefined;
        if (isWanted(entry)) elements.push({ subpartition: log.subpartition, count, ...written, checksum });
      }
    }
    return { subpartitionCount: this.#count, elements };
  }

  /** The reader of a log was dismissed. */
  dismiss(log: RetainedLog): void {
    if (log.isDismissed) return;
    log.dismiss();
    this.#dismissedCount++;
  }

  /** Another reader may be opened on a log. */
  expectReader(log: RetainedLog): void {
    if (!log.isDismissed) return;
    log.expectReader();
    this.#dismissedCount--;
  }

  /** Where an attempt begins in each log that continues from these records. */
  startsAt(fromRecords: readonly number[]): ReproductionStart[] {
    return this.#logs.map((log) => {
      const from = (log && fromRecords[log.subpartition]) ?? 0;
      const element = log?.indexOf(from) ?? 0;
      const { sequence = from, count = 0 } = log?.entryAt(element) ?? {};
      return sequence < from
        ? { element: element + 1, restOfBatch: sequence + count - from }
        : { element, restOfBatch: 0 };
    });
  }

  /** Whether these records, and all later ones, can be reproduced: they are listed, and `holds` the part of a batch. */
  reachesBackTo(fromRecords: readonly number[], holds: (entry: LogEntry) => boolean): boolean {
    for (const log of this) {
      const from = fromRecords[log.subpartition] ?? 0;
      const entry = log.entryAt(log.indexOf(from));
      const start = entry?.sequence ?? log.recordCount;
      if (start > from || (start < from && entry !== undefined && !holds(entry))) return false;
    }
    return true;
  }

  /** The result is reproduced from the beginning: dismissed readers may come back. */
  restart(): void {
    for (const log of this) {
      this.expectReader(log);
      log.restart();
    }
  }

  /** The data is lost: tells the readers. */
  lose(error: Error): void {
    for (const log of this) log.lose(error);
    this.#logs.length = 0;
  }

  /** The trace for comparison with another attempt; undefined if an element has no checksum. */
  trace(): ResultTrace | undefined {
    if (this.isRest) return undefined;
    const elements: TracedElement[][] = [];
    for (const log of this) {
      // What no restore reads again is not compared either, so the rest has another number.
      if (log.isForgotten) return undefined;
      const those: TracedElement[] = [];
      for (const { count, checksum, barrier } of log.kept()) {
        if (checksum === undefined) return undefined;
        those.push({ count, checksum, barrier });
      }
      elements[log.subpartition] = those;
    }
    return new ResultTrace(Array.from(elements), this.#areWhole);
  }

  /** The trace for the rest of a reproduction; computes checksums of the elements still to come. */
  traceOfRest(reproduction: Reproduction): ResultTrace {
    const rest = this.#logs.map((log) => {
      if (log === undefined) return undefined;
      const { subpartition } = log;
      const next = reproduction.missing(subpartition)?.index ?? log.length;
      // With a place for each that is no longer listed, so that the indexes of the reproduction hold for it.
      return Array.from({ length: log.length }, (_, index): TracedElement => {
        const entry = log.entryAt(index);
        if (entry === undefined) return { count: 0, checksum: undefined };
        const { count, checksum, element, sequence, barrier } = entry;
        const isToCome = index >= next && element !== undefined;
        return {
          count,
          barrier,
          checksum: checksum ?? (isToCome ? elementChecksum(element, { subpartition, sequence }) : undefined),
        };
      });
    });
    const firstRecords = this.#logs.map((log) => log?.firstListed);
    return new ResultTrace(Array.from(rest), true, Array.from(firstRecords));
  }
}
