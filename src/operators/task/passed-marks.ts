import type { CheckpointId } from '../../ids.ts';
import type { StreamElement } from '../../partitions/stream-element.ts';

/**
 * The beginning of a channel that is read again from a checkpoint. A channel is reopened at a record, so the marks right before
 * that record come again: those up to the barrier of the checkpoint were passed before it, and are left out.
 */
export class PassedMarks {
  readonly #checkpoint: CheckpointId;
  /** Marks that came; undefined once it is known which of them were passed. */
  #held: StreamElement[] | undefined = [];

  constructor(checkpoint: CheckpointId) {
    this.#checkpoint = checkpoint;
  }

  /** Takes the next element of the channel; what is to be taken of it and of those before. */
  take(element: StreamElement): readonly StreamElement[] {
    const held = this.#held;
    if (held === undefined) return [element];
    if (element.kind === 'barrier' && element.checkpoint === this.#checkpoint) {
      this.#held = undefined;
      return [];
    }
    held.push(element);
    if (element.kind !== 'records' && element.kind !== 'end') return [];
    // The barrier is not there, so all of them come after it.
    this.#held = undefined;
    return held;
  }
}
