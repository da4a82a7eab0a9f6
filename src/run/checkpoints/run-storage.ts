import { isUint8Array } from 'node:util/types';
import type {
  CheckpointManifest,
  CheckpointStorage,
  CheckpointStorageAddress,
  FoundCheckpoint,
  SweptFiles,
  WrittenPiece,
} from '../../checkpoints/checkpoint-storage.ts';
import { CheckpointStorageError } from '../../errors/checkpoint-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { propertiesOf } from '../../foreign-value.ts';
import type { CheckpointId } from '../../ids.ts';
import { answerOf } from '../../user-code.ts';

/**
 * The storage of one run. It may be the user's own, so whatever its methods do, they answer here with a promise, and of a kind that
 * can be used. A scope that is removed stays removed: what was still being written, by tasks that have ended or for
 * checkpoints that were aborted, is removed once it is there; and nothing more is written, as by a component that still tries to
 * store a checkpoint.
 */
export class RunStorage implements CheckpointStorage {
  readonly description: string;
  readonly address: CheckpointStorageAddress | undefined;
  readonly check: (() => Promise<void>) | undefined;
  readonly #storage: CheckpointStorage;
  /** By scope: what is being written. */
  readonly #writing = new Map<string, Set<Promise<unknown>>>();
  readonly #removed = new Set<string>();
  readonly #scopes = new Set<string>();

  constructor(storage: CheckpointStorage) {
    this.#storage = storage;
    this.description = storage.description;
    this.address = storage.address;
    this.check = storage.check && (() => answerOf(() => storage.check?.()));
  }

  async write(...given: Parameters<CheckpointStorage['write']>): Promise<WrittenPiece> {
    const written = await this.#noting(given[0].scope, () => this.#storage.write(...given));
    const { location, bytes, crc, offsets } = propertiesOf(written, 'location', 'bytes', 'crc', 'offsets');
    const isPiece = typeof location === 'string' && [bytes, crc].every(Number.isSafeInteger) && Array.isArray(offsets);
    return isPiece ? written : this.#refuse('write', written, 'a `WrittenPiece`: location, bytes, crc and offsets');
  }

  async read(location: string): Promise<Uint8Array> {
    const bytes = await answerOf(() => this.#storage.read(location));
    return isUint8Array(bytes) ? bytes : this.#refuse('read', bytes, 'a Uint8Array');
  }

  async readChunk(location: string, offset: number): Promise<Uint8Array> {
    const bytes = await answerOf(() => this.#storage.readChunk(location, offset));
    return isUint8Array(bytes) ? bytes : this.#refuse('readChunk', bytes, 'a Uint8Array');
  }

  commit(manifest: CheckpointManifest): Promise<void> {
    return this.#noting(manifest.scope, () => this.#storage.commit(manifest));
  }

  async *find(scope: string): AsyncIterable<FoundCheckpoint> {
    this.#scopes.add(scope);
    for await (const found of this.#storage.find(scope)) {
      const { kind, manifest, checkpoint } = propertiesOf(found, 'kind', 'manifest', 'checkpoint');
      const number = kind === 'complete' ? propertiesOf(manifest, 'checkpoint').checkpoint : checkpoint;
      const isFound = (kind === 'complete' || kind === 'damaged') && Number.isSafeInteger(number);
      yield isFound ? found : this.#refuse('find', found, 'a `FoundCheckpoint`, complete or damaged');
    }
  }

  lastNumber(scope: string): Promise<CheckpointId | undefined> {
    this.#scopes.add(scope);
    return answerOf(() => this.#storage.lastNumber(scope));
  }

  discard(scope: string, checkpoint: CheckpointId): Promise<void> {
    return answerOf(() => this.#storage.discard(scope, checkpoint));
  }

  sweep(scope: string, before: CheckpointId): Promise<SweptFiles> {
    this.#scopes.add(scope);
    return answerOf(() => this.#storage.sweep(scope, before));
  }

  async remove(scope: string): Promise<void> {
    this.#scopes.add(scope);
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

  /** The run has ended, and waits for nothing more. */
  close(): void {
    for (const scope of this.#scopes) {
      try {
        this.#storage.giveUp?.(scope);
      } catch {
        // It is the user's own, and nobody is there any more to be told.
      }
    }
  }

  #refuse(method: keyof CheckpointStorage, answer: unknown, expected: string): never {
    throw new InvalidArgumentError(`answer of \`${method}\` of checkpoints.storage`, answer, expected);
  }

  #noting<Value>(scope: string, write: () => Promise<Value>): Promise<Value> {
    if (this.#removed.has(scope)) {
      const cause = new Error('the run has ended, and its checkpoints are removed');
      return Promise.reject(new CheckpointStorageError(scope, 'write', cause));
    }
    this.#scopes.add(scope);
    const written = answerOf(write);
    const writing = this.#writing.get(scope) ?? new Set();
    this.#writing.set(scope, writing);
    writing.add(written);
    const done = (): void => void writing.delete(written);
    written.then(done, done);
    return written;
  }
}
