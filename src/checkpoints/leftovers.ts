import type { CheckpointId } from '../ids.ts';
import { type AnswerLimit, awaitAnswer } from './await-answer.ts';

/** Ended checkpoints whose states are to be discarded, once the pending ones that may refer to them have ended. */
export class Leftovers {
  readonly #discard: (checkpoint: CheckpointId) => Promise<void>;
  readonly #cleaned: () => void;
  readonly #limit: AnswerLimit;
  #waiting: { readonly checkpoint: CheckpointId; readonly awaited: Set<CheckpointId> }[] = [];
  #count = 0;

  /** @param cleaned called after each; what cannot be discarded, or not in time, a sweep finds later */
  constructor(discard: (checkpoint: CheckpointId) => Promise<void>, cleaned: () => void, limit: AnswerLimit) {
    this.#limit = limit;
    this.#discard = discard;
    this.#cleaned = cleaned;
  }

  /** Number of those that are still being discarded. */
  get count(): number {
    return this.#count;
  }

  /** Those that are `pending` now may refer to the same pieces, or have written some that no manifest names yet. */
  add(checkpoints: readonly CheckpointId[], pending: ReadonlyMap<CheckpointId, unknown>): void {
    for (const checkpoint of checkpoints) {
      this.#count++;
      this.#waiting.push({
        checkpoint,
        awaited: new Set([...pending.keys()].filter((other) => other !== checkpoint)),
      });
    }
    this.discard(pending);
  }

  /** Discards those that wait for none of `pending`. */
  discard(pending: ReadonlyMap<CheckpointId, unknown>): void {
    const done = (): void => {
      this.#count--;
      this.#cleaned();
    };
    this.#waiting = this.#waiting.filter(({ checkpoint, awaited }) => {
      for (const other of awaited) if (!pending.has(other)) awaited.delete(other);
      if (awaited.size > 0) return true;
      awaitAnswer(this.#discard(checkpoint), { ...this.#limit, done, failed: done });
      return false;
    });
  }
}
