import { PartitionLostError } from '../../errors/result-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { PartitionStatistics, SubpartitionView } from '../result-partition.ts';
import type { ResultTrace } from '../result-trace.ts';
import { type ReadResult, ResultReaders } from './result-readers.ts';
import { RetainedElements } from './retained-elements.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';

/**
 * A result that is kept, whichever attempts of its producer write it: its elements and its readers. A restarted reader gets
 * everything from the beginning, or from the record it asks for. Depending on the exchange it is read while it is written, or
 * when it is complete. What is written goes through the `ResultWriter` of the current attempt.
 *
 * Invariants:
 * - RP1 A reader that is in step gets the very elements that were written, without a read from the disk. One that has to
 *   wait for the end sees the whole result or an error, never a part that looks whole.
 * - RP2 What was dropped, or cannot be read back as it was written, is a lost partition, never a gap.
 * - RP3 Released, it holds nothing. Records that might have to be written are refused although there is room, if they
 *   cannot be.
 * - RP4 Produced again, it is what it was, record by record, or the attempt that claims so fails; what is there already is
 *   written to nobody twice, and readers of what is missing wait for it. That holds also if everybody has read it meanwhile,
 *   and it is released.
 * - RP5 Once every reader was dismissed it is needed no more, unless it is kept for later: what is written then is dropped,
 *   and from the first drop on, or an end before everything was written, nobody begins to read this attempt's result. A
 *   reader that only went away needs it still; so does one that has not come.
 * - RP6 It may be released while it is written: that ends the need, and the attempt that writes it hears of no error.
 */
export class RetainedResult implements ReadResult {
  readonly elements: RetainedElements;
  readonly readers: ResultReaders;
  readonly #options: RetainedResultOptions;
  #id: ResultPartitionId;
  /** Cut: what was not needed was dropped or never produced, and nobody begins to read it. */
  #standing: 'kept' | 'cut' | 'released' = 'kept';
  #listener: (() => void) | undefined;

  constructor(id: ResultPartitionId, options: RetainedResultOptions) {
    this.#id = id;
    this.#options = options;
    this.elements = new RetainedElements(id, options, () => {
      if (!this.isReleased) this.#listener?.();
    });
    this.readers = new ResultReaders(this, options.exchange.consumption !== 'after-producer-finished');
    if (options.before !== undefined) this.elements.logs.follow(options.before);
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
    return this.#standing === 'kept' && (this.#options.keepsAll === true || !this.elements.logs.areDismissed);
  }

  /** Calls `listener` when the attempt that writes may go on, or needs to look; undefined: it writes no more. */
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
   * What another attempt can be compared with when this is released, as far as it came: nothing if some of it was never
   * written, so that it has no checksum.
   */
  trace(): ResultTrace | undefined {
    return this.isReleased ? undefined : this.elements.logs.trace();
  }

  /** Everything was written: calls `done` when it is safe and can be read to its end, or with the error. */
  complete(done: (failure: Error | undefined) => void): void {
    this.elements.finish((failure) => {
      if (failure === undefined && !this.isReleased) this.elements.logs.end();
      done(failure);
    });
  }

  /** RP5. It will not be all there. */
  cut(): void {
    if (this.#standing !== 'kept') return;
    this.#standing = 'cut';
    this.#options.curtailed?.();
  }

  /** Some reader needs nothing more. */
  noteDismissed(): void {
    if (!this.isNeeded) this.#listener?.();
  }

  /**
   * RP4. A new attempt writes it from the beginning; readers stay where they are.
   * @throws IllegalStateError if nothing is left of a part that was dropped, so that it could not be compared
   */
  resume(id: ResultPartitionId, isLost: boolean): void {
    if (this.isReleased) throw this.#lost();
    if (!this.#options.isReproducible && this.elements.memory.isTruncated) {
      throw new IllegalStateError(
        `Partition ${id.partition} was not to be produced again, and nothing is left of the part that was dropped: it has to be begun anew`,
      );
    }
    this.#id = id;
    this.#standing = 'kept';
    this.#listener = undefined;
    this.elements.restart(id, isLost);
  }

  /** RP3, RP6. What is still on its way to the disk nobody needs, and the attempt that writes is told. */
  release(): void {
    if (this.isReleased) return;
    this.#standing = 'released';
    this.readers.close();
    this.elements.close(this.#lost() as PartitionLostError);
    this.#listener?.();
  }

  #lost(): PartitionLostError | undefined {
    switch (this.#standing) {
      case 'kept':
        return undefined;
      case 'cut':
        return new PartitionLostError(this.#id, 'nobody needed the rest of it, which was not produced');
      case 'released':
        return new PartitionLostError(this.#id, 'it was released');
    }
  }
}
