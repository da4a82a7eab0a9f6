import { PartitionLostError } from '../../errors/result-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { SubpartitionView } from '../result-partition.ts';
import type { Batch } from '../stream-element.ts';
import type { RetainedBatches } from './retained-batches.ts';
import type { RetainedBatch, RetainedLog } from './retained-log.ts';
import { RetainedView, type ViewHost } from './retained-view.ts';

/** What its readers ask of a kept result. */
export interface ReadResult {
  /** With the attempt that writes now. */
  readonly id: ResultPartitionId;
  readonly isReleased: boolean;
  readonly batches: RetainedBatches;
  /** Some reader needs nothing more. */
  noteDismissed(): void;
}

/** Everybody who reads one kept result: opens their views, and fetches what these ask for. */
export class ResultReaders implements ViewHost {
  readonly #result: ReadResult;
  /** Whether readers may come before it is complete. */
  readonly #isReadEarly: boolean;
  /** Fetches of batches that are being produced again. */
  readonly #stalled = new Map<RetainedBatch, (() => void)[]>();

  constructor(result: ReadResult, isReadEarly: boolean) {
    this.#result = result;
    this.#isReadEarly = isReadEarly;
  }

  /** @throws PartitionLostError if the record was dropped, IllegalStateError if it is too early to read. */
  open(subpartition: number, fromRecord: number): SubpartitionView {
    const { id, batches } = this.#result;
    const log = batches.logs.of(subpartition);
    if (!this.#isReadEarly && !batches.logs.areWhole) {
      throw new IllegalStateError(`Partition ${id.partition} is read before it has finished`);
    }
    const batch = log.indexOf(fromRecord);
    const firstRecord = log.batchAt(batch)?.sequence ?? log.recordCount;
    if (batch < log.first || firstRecord > fromRecord) {
      throw new PartitionLostError(
        id,
        `its first ${log.first} batches were dropped when the memory budget was used up`,
      );
    }
    const view = new RetainedView(log, { batch, skippedRecords: fromRecord - firstRecord }, this);
    batches.logs.expectReader(log);
    log.attach(view);
    return view;
  }

  /** A batch is there again: whoever waits for it gets it. */
  goOn(batch: RetainedBatch): void {
    const stalled = this.#stalled.get(batch);
    if (stalled === undefined) return;
    this.#stalled.delete(batch);
    for (const fetch of stalled) fetch();
  }

  /** Nobody waits any more. */
  close(): void {
    this.#stalled.clear();
  }

  get isWhole(): boolean {
    return this.#result.batches.logs.areWhole;
  }

  fetch(log: RetainedLog, batch: RetainedBatch, done: (error: Error | undefined, records: Batch) => void): void {
    const { records, written } = batch;
    const again = (): void => this.fetch(log, batch, done);
    if (records !== undefined) {
      done(undefined, records);
    } else if (written === undefined) {
      const stalled = this.#stalled.get(batch) ?? [];
      this.#stalled.set(batch, [...stalled, again]);
    } else {
      this.#result.batches.file.read(log.subpartition, batch, (error, read) => {
        // RP4: what was removed meanwhile is on its way again.
        if (error !== undefined && batch.written !== written && !this.#result.isReleased) again();
        else done(error, read);
      });
    }
  }

  /** RL2. */
  opened(view: RetainedView, log: RetainedLog): void {
    if (view.position < log.first) view.lose(this.#lost('its beginning was dropped'));
    else this.#result.batches.memory.noteCrowd(log);
  }

  taken(log: RetainedLog): void {
    this.#result.batches.memory.noteTaken(log);
  }

  dismissed(log: RetainedLog): void {
    if (log.isDismissed || this.#result.isReleased) return;
    this.#result.batches.dismiss(log);
    this.#result.noteDismissed();
  }

  closed(view: RetainedView, log: RetainedLog): void {
    log.detach(view);
    this.#result.batches.memory.noteCrowd(log);
  }

  #lost(reason: string): PartitionLostError {
    return new PartitionLostError(this.#result.id, reason);
  }
}
