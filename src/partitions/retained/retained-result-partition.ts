import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ExchangeType } from '../../graph/exchange-type.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { PartitionStatistics, ResumableResult, StorableResult, SubpartitionView } from '../result-partition.ts';
import type { ResultTrace } from '../result-trace.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type { LendableResult, LentFile } from '../storage/result-index.ts';
import type { WrittenElement } from '../stream-element.ts';
import { AppendingWriter } from './appending-writer.ts';
import { ReproducingWriter } from './reproducing-writer.ts';
import type { ResultWriter } from './result-writer.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';
import { RetainedResult } from './retained-result.ts';

export interface RetainedResultPartitionOptions extends RetainedResultOptions {
  readonly id: ResultPartitionId;
}

/**
 * A retained result, as written by one attempt.
 *
 * RA1 Once the next attempt has taken over, nothing that remains of this one has an effect.
 */
export class RetainedResultPartition implements ResumableResult, StorableResult, LendableResult {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly #options: RetainedResultOptions;
  readonly #result: RetainedResult;
  /** Undefined once the next attempt has taken over. */
  #writer: ResultWriter | undefined;

  /** @param resumed the result of an earlier attempt, to be reproduced */
  constructor(options: RetainedResultPartitionOptions, resumed?: RetainedResult) {
    this.id = options.id;
    this.exchange = options.exchange;
    this.subpartitionCount = options.subpartitionCount;
    this.#options = options;
    const result = resumed ?? new RetainedResult(options.id, options);
    this.#result = result;
    const isFirst = resumed === undefined && options.before === undefined;
    this.#writer = isFirst ? new AppendingWriter(result) : new ReproducingWriter(result, options);
  }

  get isWritable(): boolean {
    return this.#writer === undefined || this.#writer.isWritable;
  }

  get isNeeded(): boolean {
    return this.#writer === undefined || this.#result.isNeeded;
  }

  waitForRoom(): void {
    this.#writer?.waitForRoom();
  }

  onWritable(listener: () => void): void {
    if (this.#writer !== undefined) this.#result.onWritable(listener);
  }

  get isBehind(): boolean {
    return this.#writer?.isBehind === true;
  }

  write(subpartition: number, element: WrittenElement): void {
    const writer = this.#current();
    // In the log, an entry without records is a mark.
    if (element.kind === 'records' && element.records.length === 0) return;
    const rest = writer.take(subpartition, element);
    // If the dismissal of the last reader replaced the writer during `take`, the new writer gets the rest.
    if (rest !== undefined) this.#writer?.append(subpartition, rest);
  }

  finish(done: (error?: Error) => void): void {
    const writer = this.#current();
    this.#result.onWritable(undefined);
    writer.finish(done);
  }

  curtail(done: (error?: Error) => void): void {
    const writer = this.#current();
    this.#result.onWritable(undefined);
    writer.curtail(done);
  }

  read(subpartition: number, fromRecord?: number): SubpartitionView {
    return this.#result.read(subpartition, fromRecord);
  }

  lend(subpartition: number): LentFile | undefined {
    return this.#result.lend(subpartition);
  }

  verify(done: (error?: Error) => void): void {
    this.#result.verify(done);
  }

  statistics(): PartitionStatistics {
    return this.#result.statistics();
  }

  canResume(fromRecords: readonly number[] = [], isLost = false, isEndOnly = false): boolean {
    return isEndOnly ? this.#result.isIntact(isLost) : this.#result.canResume(fromRecords, isLost);
  }

  resume(
    id: ResultPartitionId,
    isLost: boolean,
    fromRecords: readonly number[] = [],
    isEndOnly = false,
  ): ResumableResult {
    this.#current();
    this.#result.resume(id, isLost, fromRecords);
    this.#writer = undefined;
    return new RetainedResultPartition({ ...this.#options, id, fromRecords, isEndOnly }, this.#result);
  }

  forget(records: readonly number[]): void {
    if (this.#writer !== undefined) this.#result.forget(records);
  }

  trace(): ResultTrace | undefined {
    return this.#result.trace();
  }

  get isRest(): boolean {
    return this.#result.elements.logs.isRest;
  }

  stored(): StoredResult | undefined {
    const { sealed } = this.#result.elements.file;
    if (sealed === undefined) return undefined;
    const { records, spilledBytes } = this.statistics();
    return { ...sealed, records, bytes: spilledBytes };
  }

  release(): void {
    if (this.#writer === undefined || this.#result.isReleased) return;
    this.#writer = this.#writer.released();
    this.#result.release();
  }

  #current(): ResultWriter {
    if (this.#writer !== undefined) return this.#writer;
    const { partition, attempt } = this.id;
    throw new IllegalStateError(`Attempt ${attempt} has handed partition ${partition} over to the next attempt`);
  }
}
