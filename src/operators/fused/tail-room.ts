import type { ResultRoom } from '../pace.ts';
import type { LoopTail } from '../../partitions/loop-ends.ts';

/** The end of a task as the room for results. */
export class TailRoom implements ResultRoom {
  /** The results of earlier steps are in the output. */
  readonly isEmpty = true;
  readonly #tail: LoopTail;

  constructor(tail: LoopTail) {
    this.#tail = tail;
  }

  get batchesTaken(): number {
    return this.#tail.batchesHanded;
  }

  get hasRoom(): boolean {
    return this.#tail.isWritable;
  }
}
