import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import type { CheckpointId } from '../../ids.ts';

/**
 * The series of a component's checkpoints: its name in the storage, and the numbers in it, which grow and are not used
 * again, also not by a later run that continues it.
 */
export class CheckpointSeries {
  readonly #storage: Pick<CheckpointStorage, 'lastNumber'>;
  #scope: string;
  #last: CheckpointId | undefined;

  constructor(scope: string, storage: Pick<CheckpointStorage, 'lastNumber'>) {
    this.#scope = scope;
    this.#storage = storage;
  }

  /** Names it in the storage. */
  get scope(): string {
    return this.#scope;
  }

  /** Goes on with the series of an earlier run, or begins one after the numbers of another. */
  continue(scope: string, last: CheckpointId): void {
    this.#scope = scope;
    this.#last = last;
  }

  /** Calls back with the next number, at once if the storage need not be asked. */
  next(numbered: (checkpoint: CheckpointId) => void, failed: (cause: unknown) => void): void {
    if (this.#last !== undefined) {
      numbered(this.#after(this.#last));
      return;
    }
    this.#storage
      .lastNumber(this.#scope)
      .then((last) => numbered(this.#after(this.#last ?? last ?? (0 as CheckpointId))), failed);
  }

  #after(last: CheckpointId): CheckpointId {
    this.#last = (last + 1) as CheckpointId;
    return this.#last;
  }
}
