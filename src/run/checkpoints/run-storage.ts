import type {
  CheckpointManifest,
  CheckpointStorage,
  CheckpointStorageAddress,
  FoundCheckpoint,
  SweptFiles,
  WrittenPiece,
} from '../../checkpoints/checkpoint-storage.ts';
import { CheckpointStorageError } from '../../errors/checkpoint-errors.ts';
import type { CheckpointId } from '../../ids.ts';

/**
 * The storage of one run. A scope that is removed stays removed: what was still being written, by tasks that have ended or for
 * checkpoints that were aborted, is removed once it is there; and nothing more is written, as by a component that still tries to
 * store a checkpoint.
 */
export class RunStorage implements CheckpointStorage {
  readonly description: string;
  readonly address: CheckpointStorageAddress | undefined;
  readonly #storage: CheckpointStorage;
  /** By scope: what is being written. */
  readonly #writing = new Map<string, Set<Promise<unknown>>>();
  readonly #removed = new Set<string>();

  constructor(storage: CheckpointStorage) {
    this.#storage = storage;
    this.description = storage.description;
    this.address = storage.address;
  }

  write(...given: Parameters<CheckpointStorage['write']>): Promise<WrittenPiece> {
    return this.#noting(given[0].scope, () => this.#storage.write(...given));
  }

  read(location: string): Promise<Uint8Array> {
    return this.#storage.read(location);
  }

  readChunk(location: string, offset: number): Promise<Uint8Array> {
    return this.#storage.readChunk(location, offset);
  }

  commit(manifest: CheckpointManifest): Promise<void> {
    return this.#noting(manifest.scope, () => this.#storage.commit(manifest));
  }

  find(scope: string): AsyncIterable<FoundCheckpoint> {
    return this.#storage.find(scope);
  }

  lastNumber(scope: string): Promise<CheckpointId | undefined> {
    return this.#storage.lastNumber(scope);
  }

  discard(scope: string, checkpoint: CheckpointId): Promise<void> {
    return this.#storage.discard(scope, checkpoint);
  }

  sweep(scope: string, before: CheckpointId): Promise<SweptFiles> {
    return this.#storage.sweep(scope, before);
  }

  async remove(scope: string): Promise<void> {
    this.#removed.add(scope);
    const writing = new Set<Promise<unknown>>();
    for (const written of this.#writing.get(scope) ?? []) {
      const settled = written.then(ended, ended);
      function ended(): void {
        writing.delete(settled);
      }
      writing.add(settled);
    }
    // One that never ends must not keep what the others write.
    for (;;) {
      const unsettled = writing.size;
      await this.#storage.remove(scope);
      if (unsettled === 0) return;
      if (writing.size === unsettled) await Promise.race(writing);
    }
  }

  #noting<Value>(scope: string, write: () => Promise<Value>): Promise<Value> {
    if (this.#removed.has(scope)) {
      const cause = new Error('the run has ended, and its checkpoints are removed');
      return Promise.reject(new CheckpointStorageError(scope, 'write', cause));
    }
    const written = write();
    const writing = this.#writing.get(scope) ?? new Set();
    this.#writing.set(scope, writing);
    writing.add(written);
    const done = (): void => void writing.delete(written);
    written.then(done, done);
    return written;
  }
}
