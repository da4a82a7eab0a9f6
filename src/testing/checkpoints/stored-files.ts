import type { DrawnCheckpoints } from './drawn-checkpoints.ts';
import { checkpointMoments, type CheckpointMoment } from './moments.ts';

/** What there is in a storage of checkpoints. */
interface StoredFiles {
  readonly files: readonly string[];
  /** The greatest number of complete checkpoints of one component. */
  readonly manifestCount: number;
}

/** At these, a fault keeps files from being removed. */
const removing: ReadonlySet<CheckpointMoment> = new Set([
  checkpointMoments.list,
  checkpointMoments.remove,
  checkpointMoments.read,
]);

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

  /** The run has ended. @param fired the moments at which faults struck: what could not be removed stays */
  violations(fired: readonly CheckpointMoment[]): string[] {
    if (fired.some((moment) => removing.has(moment))) return [];
    const left = this.#storage.files.map((file) => `K8: it left ${file} in the storage`);
    if (this.#mostStored <= this.#most) return left;
    return [...left, `K8: ${this.#mostStored} checkpoints of a component were in the storage, not ${this.#most}`];
  }
}
