import type { DrawnCheckpoints } from './drawn-checkpoints.ts';
import { checkpointMoments, type DrawnCheckpointFault } from './moments.ts';

/** What there is in a storage of checkpoints. */
interface StoredFiles {
  readonly files: readonly string[];
  /** The greatest number of complete checkpoints of one component. */
  readonly manifestCount: number;
}

type Fired = Pick<DrawnCheckpointFault, 'moment' | 'effect'>;

/**
 * Whether a fault may keep files from being removed: the removal at the end fails, or the storage is silent, for which the end does not wait.
 * What a removal during the run has left goes with the next one.
 */
function keepsFiles({ moment, effect }: Fired): boolean {
  const isRemoval = moment === checkpointMoments.list || moment === checkpointMoments.remove;
  return (isRemoval && effect === 'fails') || effect === 'never ends';
}

/** K8: complete checkpoints do not pile up in the storage while a run goes on, and nothing is left there when it has ended. */
export class StoredFilesRule {
  readonly #storage: StoredFiles;
  readonly #most: number;
  #mostStored = 0;

  constructor(storage: StoredFiles, { retained, maxConcurrent }: DrawnCheckpoints['settings']) {
    this.#storage = storage;
    // Those that are removed, and those that are under way, are there besides.
    this.#most = retained + 2 * maxConcurrent + 2;
  }

  /** A checkpoint has completed. */
  completed(): void {
    this.#mostStored = Math.max(this.#mostStored, this.#storage.manifestCount);
  }

  /** The run has ended. @param fired the faults that struck: what could not be removed stays */
  violations(fired: readonly Fired[]): string[] {
    if (fired.some(keepsFiles)) return [];
    const left = this.#storage.files.map((file) => `K8: it left ${file} in the storage`);
    if (this.#mostStored <= this.#most) return left;
    return [...left, `K8: ${this.#mostStored} checkpoints of a component were in the storage, not ${this.#most}`];
  }
}
