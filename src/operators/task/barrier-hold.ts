import type { CheckpointId } from '../../ids.ts';
import { type Barrier, isOfSavepoint } from '../../partitions/stream-element.ts';
import type { OperatorStage } from '../operator-stage.ts';

/** What a task waits for because of the barrier of a savepoint. */
export class BarrierHold {
  readonly #takePart: (barrier: Barrier) => void;
  /** The barrier that arrived, and waits until nothing is under way in the task. */
  #waiting: Barrier | undefined;
  /** The savepoint after which the task does nothing more. */
  #stopped: CheckpointId | undefined;

  /** @param takePart takes part in the checkpoint of a barrier */
  constructor(takePart: (barrier: Barrier) => void) {
    this.#takePart = takePart;
  }

  arrived(barrier: Barrier): void {
    if (isOfSavepoint(barrier)) this.#waiting = barrier;
    else this.#takePart(barrier);
  }

  /** Whether a barrier waits, so that the task takes no input. */
  get isOn(): boolean {
    return this.#waiting !== undefined;
  }

  /** Whether the task does nothing. */
  get isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Takes part in the checkpoint whose barrier waits, if nothing is under way. Returns whether that was so. */
  goesOn(chain: Pick<OperatorStage, 'isAccepting' | 'isIdle' | 'handOn'>): boolean {
    const barrier = this.#waiting;
    if (barrier === undefined || !isIdle(chain)) return false;
    chain.handOn?.();
    // Its results are written first.
    if (!isIdle(chain)) return true;
    this.#waiting = undefined;
    this.#takePart(barrier);
    if (barrier.alignment === 'stop') this.#stopped = barrier.checkpoint;
    return true;
  }

  /** A checkpoint was aborted. Returns whether the task goes on because of that. */
  aborted(checkpoint: CheckpointId): boolean {
    const isHeld = this.#waiting?.checkpoint === checkpoint || this.#stopped === checkpoint;
    if (isHeld) {
      this.#waiting = undefined;
      this.#stopped = undefined;
    }
    return isHeld;
  }
}

function isIdle({ isAccepting, isIdle: idle = isAccepting }: Pick<OperatorStage, 'isAccepting' | 'isIdle'>): boolean {
  return idle;
}
