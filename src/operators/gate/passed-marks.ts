import type { CheckpointId } from '../../ids.ts';
import type { StreamElement } from '../../partitions/stream-element.ts';

/**
 * The beginning of a channel that is read again from a checkpoint. A channel is reopened at a record, so the marks
 * right before that record come again. Those up to the barrier of the checkpoint were already taken, and are skipped.
 */
export class PassedMarks {
  readonly #checkpoint: CheckpointId;
  /** The marks so far; undefined once it is known which of them to skip. */
  #held: StreamElement[] | undefined = [];

  constructor(checkpoint: CheckpointId) {
    this.#checkpoint = checkpoint;
  }

  /** Takes the next element of the channel; returns the elements to take, including earlier ones. */
  take(element: StreamElement): readonly StreamElement[] {
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
}
