import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExchangeType } from '../../graph/exchange-type.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView, TraceableResult } from '../result-partition.ts';
import type { ResultTrace } from '../result-trace.ts';
import type { WrittenElement } from '../stream-element.ts';
import { Comparison } from './comparison.ts';

/**
 * The result of an attempt whose earlier result was released: the task runs again because of its other results, and
 * this one is discarded. It is compared with the trace of the earlier one, if any, to detect a difference from what
 * consumers have read.
 */
export class ReleasedResultPartition implements TraceableResult {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly isWritable = true;
  readonly isNeeded = false;
  readonly #before: ResultTrace | undefined;
  readonly #comparison: Comparison | undefined;
  #records = 0;
  #batches = 0;

  constructor(of: Pick<ResultPartition, 'id' | 'exchange' | 'subpartitionCount'>, before?: ResultTrace) {
    this.id = of.id;
    this.exchange = of.exchange;
    this.subpartitionCount = of.subpartitionCount;
    this.#before = before;
    this.#comparison = before && new Comparison(of.id, before);
  }

  onWritable(): void {}

  waitForRoom(): void {}

  write(subpartition: number, element: WrittenElement): void {
    if (element.kind === 'records') {
      this.#records += element.records.length;
      this.#batches++;
    }
    this.#comparison?.take(subpartition, element);
  }

  finish(done: (error?: Error) => void): void {
    done(this.#comparison?.shortfall());
  }

  /** Everything written so far was compared. */
  curtail(done: (error?: Error) => void): void {
    done();
  }

  read(): SubpartitionView {
    throw this.#gone();
  }

  verify(done: (error?: Error) => void): void {
    done(this.#gone());
  }

  statistics(): PartitionStatistics {
    return { records: this.#records, batches: this.#batches, memoryBytes: 0, spilledBytes: 0 };
  }

  release(): void {}

  trace(): ResultTrace | undefined {
    return this.#before;
  }

  #gone(): PartitionLostError {
    return new PartitionLostError(this.id, 'every consumer had read it, and it was released');
  }
}
