import { IllegalStateError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import type { ResultTrace } from './result-trace.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';
import { RetainedResult } from './retained-result.ts';
import type { Batch } from './stream-element.ts';

export interface RetainedResultPartitionOptions extends RetainedResultOptions {
  readonly id: ResultPartitionId;
}

/**
 * A kept result in the hands of the one attempt that writes it.
 *
 * RA1 Once the next attempt has taken over, whatever is left of this one changes nothing any more.
 */
export class RetainedResultPartition implements ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly #options: RetainedResultOptions;
  readonly #result: RetainedResult;
  #isHandedOn = false;

  constructor(options: RetainedResultPartitionOptions, result = new RetainedResult(options.id, options)) {
    this.id = options.id;
    this.exchange = options.exchange;
    this.subpartitionCount = options.subpartitionCount;
    this.#options = options;
    this.#result = result;
  }

  get isWritable(): boolean {
    return this.#isHandedOn || this.#result.isWritable;
  }

  get isNeeded(): boolean {
    return this.#isHandedOn || this.#result.isNeeded;
  }

  waitForRoom(): void {
    if (!this.#isHandedOn) this.#result.waitForRoom();
  }

  onWritable(listener: () => void): void {
    if (!this.#isHandedOn) this.#result.onWritable(listener);
  }

  write(subpartition: number, records: Batch): void {
    this.#assertCurrent();
    this.#result.write(subpartition, records);
  }

  finish(done: (error?: Error) => void): void {
    this.#assertCurrent();
    this.#result.finish(done);
  }

  curtail(done: (error?: Error) => void): void {
    this.#assertCurrent();
    this.#result.curtail(done);
  }

  read(subpartition: number, fromRecord?: number): SubpartitionView {
    return this.#result.read(subpartition, fromRecord);
  }

  verify(done: (error?: Error) => void): void {
    this.#result.verify(done);
  }

  statistics(): PartitionStatistics {
    return this.#result.statistics();
  }

  resume(id: ResultPartitionId, isLost: boolean): ResultPartition {
    this.#assertCurrent();
    this.#result.resume(id, isLost);
    this.#result.onWritable(undefined);
    this.#isHandedOn = true;
    return new RetainedResultPartition({ ...this.#options, id }, this.#result);
  }

  trace(): ResultTrace | undefined {
    return this.#result.trace();
  }

  release(): void {
    if (!this.#isHandedOn) this.#result.release();
  }

  #assertCurrent(): void {
    if (!this.#isHandedOn) return;
    const { partition, attempt } = this.id;
    throw new IllegalStateError(`Attempt ${attempt} has handed partition ${partition} on to the next one`);
  }
}
