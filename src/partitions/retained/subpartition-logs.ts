import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { PartitionId } from '../../ids.ts';
import { elementChecksum } from '../records/element-codec.ts';
import type { Reproduction } from '../reproduced/reproduction.ts';
import { ResultTrace, type TracedElement } from '../result-trace.ts';
import { type LogEntry, RetainedLog } from './retained-log.ts';

/**
 * The logs of one result by subpartition, each made on first use; which of their readers need nothing more, and whether
 * their end is known.
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

  constructor(partition: PartitionId, subpartitionCount: number) {
    this.#partition = partition;
    this.#count = subpartitionCount;
  }

  /** @throws IllegalStateError for a subpartition that the result does not have */
  of(subpartition: number): RetainedLog {
    const known = this.#logs[subpartition];
    if (known !== undefined) return known;
    if (!(subpartition >= 0 && subpartition < this.#count)) {
      throw new IllegalStateError(
        `Partition ${this.#partition} has ${this.#count} subpartitions, and no number ${subpartition}`,
      );
    }
    const log = new RetainedLog(subpartition);
    this.#logs[subpartition] = log;
    return log;
  }

  /** Records that were ever appended, to any log. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Batches of records that were ever appended, to any log. */
  get batchCount(): number {
    return this.#batchCount;
  }

  /** Elements that were ever appended, to any log: batches and marks. */
  get elementCount(): number {
    return this.#elementCount;
  }

  /** Whether some attempt has produced everything, so that the end of each is known. */
  get areWhole(): boolean {
    return this.#areWhole;
  }

  entryAt(subpartition: number, index: number): LogEntry {
    return this.of(subpartition).entryAt(index) as LogEntry;
  }

  /** Those that something was written to, or that somebody has opened. */
  *[Symbol.iterator](): Iterator<RetainedLog> {
    for (const log of this.#logs) if (log !== undefined) yield log;
  }

  /** Elements of each subpartition. */
  get lengths(): number[] {
    return this.#logs.map((log) => log?.length ?? 0);
  }

  /** Whether every subpartition has had a reader, and none of them needs more. */
  get areDismissed(): boolean {
    return this.#dismissedCount >= this.#count;
  }

  append(log: RetainedLog, entry: LogEntry): void {
    log.append(entry);
    this.#recordCount += entry.count;
    this.#elementCount++;
    if (entry.count > 0) this.#batchCount++;
  }

  /** Nothing follows: readers come to an end. */
  end(): void {
    this.#areWhole = true;
    for (const log of this) log.advance();
  }

  /** Everything that an earlier attempt has produced is missing, and will come again. */
  follow(before: ResultTrace): void {
    for (let subpartition = 0; subpartition < before.subpartitionCount; subpartition++) {
      const log = this.of(subpartition);
      for (let index = 0; index < before.elementCount(subpartition); index++) {
        this.append(log, {
          sequence: log.recordCount,
          count: before.recordCount(subpartition, index),
          element: undefined,
          reservedBytes: 0,
          written: undefined,
          checksum: before.checksum(subpartition, index),
        });
      }
      log.restart();
    }
    this.#areWhole = before.isWhole;
  }

  /** The reader of a log needs nothing more. */
  dismiss(log: RetainedLog): void {
    if (log.isDismissed) return;
    log.dismiss();
    this.#dismissedCount++;
  }

  /** Another reader may come to a log. */
  expectReader(log: RetainedLog): void {
    if (!log.isDismissed) return;
    log.expectReader();
    this.#dismissedCount--;
  }

  /** The result is produced again from the beginning: readers that were dismissed may come back. */
  restart(): void {
    for (const log of this) {
      this.expectReader(log);
      log.restart();
    }
  }

  /** What they read is gone. */
  lose(error: Error): void {
    for (const log of this) log.lose(error);
    this.#logs.length = 0;
  }

  /** What another attempt can be compared with; undefined if some of it has no checksum. */
  trace(): ResultTrace | undefined {
    const elements: TracedElement[][] = [];
    for (const log of this) {
      const those: TracedElement[] = [];
      for (const { count, checksum } of log.kept()) {
        if (checksum === undefined) return undefined;
        those.push({ count, checksum });
      }
      elements[log.subpartition] = those;
    }
    return new ResultTrace(Array.from(elements), this.#areWhole);
  }

  /** What an attempt that is producing them again is compared with from now on: checksums of what is to come are made. */
  traceOfRest(reproduction: Reproduction): ResultTrace {
    const rest = this.#logs.map((log) => {
      if (log === undefined) return undefined;
      const { subpartition } = log;
      const next = reproduction.missing(subpartition)?.index ?? log.length;
      return Array.from(log.kept(), ({ count, checksum, element, sequence }, index): TracedElement => {
        const isToCome = index >= next && element !== undefined;
        return {
          count,
          checksum: checksum ?? (isToCome ? elementChecksum(element, { subpartition, sequence }) : undefined),
        };
      });
    });
    return new ResultTrace(Array.from(rest));
  }
}
