import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { untilAborted } from '../../checkpoints/until-aborted.ts';
import type { CheckpointId } from '../../ids.ts';
import { readState } from './read-state.ts';
import type { StateBackend } from './tables/state-table.ts';
import type { WrittenHandle } from './state-handle.ts';
import { releaseTables } from './state-tables.ts';
import type { TaskRestore, TaskState } from './task-state.ts';

/** How many states are read at once: more would only fight for the same disk. */
const mostAtOnce = 4;

/** Reads the states from which the tasks of an executor continue, a few at once, in the order in which they ask. */
export class StateReader {
  readonly #storage: CheckpointStorage | undefined;
  readonly #backend: StateBackend | undefined;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  /** @param backend where large keyed states are put. Default: into memory */
  constructor(storage: CheckpointStorage | undefined, backend?: StateBackend) {
    this.#storage = storage;
    this.#backend = backend;
  }

  /**
   * The state from which a task continues. At once, if it came with the message.
   *
   * @param signal a task that is aborted waits no longer for the storage, and its promise rejects
   */
  read(checkpoint: CheckpointId, handle: WrittenHandle, signal: AbortSignal): TaskRestore | Promise<TaskRestore> {
    if (handle.kind === 'inline' && handle.references === undefined) return { checkpoint, state: handle.state };
    return this.#inTurn(handle, signal).then((state) => ({ checkpoint, state }));
  }

  async #inTurn(handle: WrittenHandle, signal: AbortSignal): Promise<TaskState> {
    if (this.#count < mostAtOnce) this.#count++;
    else {
      const turn = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await untilAborted(turn, signal, () => this.#leave());
    }
    try {
      signal.throwIfAborted();
      await this.#backend?.load();
      signal.throwIfAborted();
      return await untilAborted(readState(this.#storage, handle, undefined, this.#backend), signal, (late) =>
        releaseTables(late.chain),
      );
    } finally {
      this.#leave();
    }
  }

  /** The place passes to the next one. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#count--;
    else next();
  }
}
