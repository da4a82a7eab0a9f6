import { PartitionLostError } from '../../errors/result-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { ReadAhead } from '../read-ahead.ts';
import type { SubpartitionView } from '../result-partition.ts';
import type { RetainedElements } from './retained-elements.ts';
import type { LogEntry, RetainedLog } from './retained-log.ts';
import { type FetchDone, RetainedView, type ViewHost } from './retained-view.ts';

/** The interface of a retained result for its readers. */
export interface ReadResult {
  /** Names the current attempt. */
  readonly id: ResultPartitionId;
  readonly isReleased: boolean;
  readonly elements: RetainedElements;
  /** A reader was dismissed. */
  noteDismissed(): void;
}

/** The readers of one retained result: opens their views, and fetches elements for them. */
export class ResultReaders implements ViewHost {
  readonly #result: ReadResult;
  /** Whether it can be read before it is complete. */
  readonly #isReadEarly: boolean;
  /** Fetches of elements that are yet to be reproduced. */
  readonly #stalled = new Map<LogEntry, (() => void)[]>();

  constructor(result: ReadResult, isReadEarly: boolean) {
    this.#result = result;
    this.#isReadEarly = isReadEarly;
  }

  /**
   * @throws PartitionLostError if the record was dropped; IllegalStateError if the result is not complete enough to
   * read.
   */
  open(subpartition: number, fromRecord: number): SubpartitionView {
    const { id, elements } = this.#result;
    const log = elements.logs.of(subpartition);
    if (!this.#isReadEarly && !elements.logs.areWhole) {
      throw new IllegalStateError(`Partition ${id.partition} was opened before it is complete`);
    }
    const index = log.indexOf(fromRecord);
    const firstRecord = log.entryAt(index)?.sequence ?? log.recordCount;
    if (index < log.first || firstRecord > fromRecord || fromRecord <= log.lastMarkDropped) {
      throw new PartitionLostError(
        id,
        `its first ${log.first} elements were dropped when the memory budget was used up`,
      );
    }
    const view = new RetainedView(log, { index, skippedRecords: fromRecord - firstRecord }, this);
    elements.logs.expectReader(log);
    log.attach(view);
    return view;
  }

  /** An element is present again: waiting readers get it. */
  goOn(entry: LogEntry): void {
    const stalled = this.#stalled.get(entry);
    if (stalled === undefined) return;
    this.#stalled.delete(entry);
    for (const fetch of stalled) fetch();
  }

  /** Ends all waiting fetches. */
  close(): void {
    this.#stalled.clear();
  }

  get isWhole(): boolean {
    return this.#result.elements.logs.areWhole;
  }

  readAhead(): ReadAhead {
    return this.#result.elements.readAhead();
  }

  fetch(log: RetainedLog, entry: LogEntry, done: FetchDone): void {
    const { element, written } = entry;
    if (element !== undefined) {
      done(undefined, element);
    } else if (written === undefined) {
      const stalled = this.#stalled.get(entry) ?? [];
      this.#stalled.set(entry, [...stalled, () => this.fetch(log, entry, done)]);
    } else {
      this.#result.elements.file.read(log.subpartition, entry, (error, frame) => {
        // RP4: the file was removed meanwhile, and the element is being written again.
        if (error !== undefined && entry.written !== written && !this.#result.isReleased) this.fetch(log, entry, done);
        else done(error, frame);
      });
    }
  }

  startReads(): void {
    this.#result.elements.file.startReads();
  }

  /** RL2. */
  opened(view: RetainedView, log: RetainedLog): void {
    if (view.position < log.first) view.lose(this.#lost('its beginning was dropped'));
    else this.#result.elements.memory.noteCrowd(log);
  }

  taken(log: RetainedLog): void {
    this.#result.elements.memory.noteTaken(log);
  }

  dismissed(log: RetainedLog): void {
    if (log.isDismissed || this.#result.isReleased) return;
    this.#result.elements.dismiss(log);
    this.#result.noteDismissed();
  }

  closed(view: RetainedView, log: RetainedLog): void {
    log.detach(view);
    this.#result.elements.memory.noteCrowd(log);
  }

  #lost(reason: string): PartitionLostError {
    return new PartitionLostError(this.#result.id, reason);
  }
}
