import { IllegalStateError, PartitionLostError } from '../errors.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { SubpartitionView } from './result-partition.ts';
import type { RetainedBatches } from './retained-batches.ts';
import type { RetainedBatch, RetainedLog } from './retained-log.ts';
import { StoredView } from './stored-view.ts';
import type { Batch } from './stream-element.ts';

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
export class ResultReaders {
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
    const view = this.#viewOf(log, { batch, skippedRecords: fromRecord - firstRecord });
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

  #viewOf(log: RetainedLog, start: { readonly batch: number; readonly skippedRecords: number }): StoredView {
    const { batches } = this.#result;
    const { logs } = batches;
    const view: StoredView = new StoredView({
      start,
      batchCount: () => log.length,
      placeOf: (index) => log.placeOf(index),
      bytesOf: (index) => log.batchAt(index)?.written?.bytes ?? 0,
      isComplete: () => logs.areWhole,
      fetch: (index, done) => this.#fetch(log.subpartition, log.batchAt(index), done),
      opened: () => {
        // RL2.
        if (view.position < log.first) view.lose(this.#lost('its beginning was dropped'));
        else batches.noteCrowd(log);
      },
      taken: () => batches.noteTaken(log),
      dismissed: () => {
        if (log.isDismissed || this.#result.isReleased) return;
        batches.dismiss(log);
        this.#result.noteDismissed();
      },
      closed: (closed) => {
        log.detach(closed);
        batches.noteCrowd(log);
      },
    });
    return view;
  }

  #fetch(
    subpartition: number,
    batch: RetainedBatch | undefined,
    done: (error: Error | undefined, records: Batch) => void,
  ): void {
    if (batch === undefined) {
      done(this.#lost('a batch was dropped'), []);
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
    this.#result.batches.read(subpartition, batch, (error, records) => {
      // RP4: what was given up meanwhile is on its way again.
      if (error !== undefined && batch.written !== written && !this.#result.isReleased) {
        this.#fetch(subpartition, batch, done);
      } else done(error, records);
    });
  }

  #lost(reason: string): PartitionLostError {
    return new PartitionLostError(this.#result.id, reason);
  }
}
