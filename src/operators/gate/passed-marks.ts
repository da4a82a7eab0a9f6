import type { CheckpointId } from '../../ids.ts';
import { type Barrier, isOfSavepoint, type StreamElement } from '../../partitions/stream-element.ts';

/**
 * The beginning of a channel that is read again from a checkpoint. A channel is reopened at a record, so the marks
 * right before that record come again. Those up to the barrier of the checkpoint were already taken, and are skipped.
 *
 * Its producer may have to reproduce what comes before. A barrier of it counts where the consumer is; but not that of a
 * savepoint, because who continues at another parallelism does not know what was read.
 */
export class PassedMarks {
  readonly #checkpoint: CheckpointId;
  readonly #refuse: (barrier: Barrier) => void;
  /** The marks so far; undefined once it is known which of them to skip. */
  #held: StreamElement[] | undefined = [];

  /** @param refuse gets barriers in which the consumer cannot take part */
  constructor(checkpoint: CheckpointId, refuse: (barrier: Barrier) => void) {
    this.#checkpoint = checkpoint;
    this.#refuse = refuse;
  }

  /** Takes the next element of the channel; returns the elements to take, including earlier ones. */
  take(element: StreamElement): readonly StreamElement[] {
    if (element.kind === 'barrier' && element.isEarly === true) return this.#early(element);
    const held = this.#held;
    if (held === undefined) return [element];
    if (element.kind === 'barrier' && element.checkpoint === this.#checkpoint) {
      this.#held = undefined;
      return [];
    }
    held.push(element);
    const isLater = element.kind === 'barrier' && element.checkpoint > this.#checkpoint;
    if (element.kind !== 'records' && element.kind !== 'end' && !isLater) return [];
    // The barrier is missing, so all of them come after it.
    this.#held = undefined;
    return held;
  }

  #early({ kind, checkpoint, alignment }: Barrier): readonly StreamElement[] {
    const barrier = { kind, checkpoint, ...(alignment && { alignment }) };
    if (!isOfSavepoint(barrier)) return [barrier];
    this.#refuse(barrier);
    return [];
  }
}
