import type { KeptPartition, KeptResult } from '../actors/protocol/deployment.ts';
import type { ResultPartitionId } from '../ids.ts';
import { releaseKeptResult } from '../partitions/storage/kept-result.ts';
import type { DataPlane } from './data-plane.ts';
import type { ResultStore } from './result-store.ts';

/** What an executor keeps beyond the job, and releases again if the job does not finish. */
export class ResultKeeping {
  readonly #dataPlane: Pick<DataPlane, 'describe' | 'keep'>;
  readonly #results: Pick<ResultStore, 'promote'>;
  #kept: KeptResult[] = [];
  /** Settles when nothing is being promoted, kept or released. */
  #settled: Promise<unknown> = Promise.resolve();

  constructor(dataPlane: Pick<DataPlane, 'describe' | 'keep'>, results: Pick<ResultStore, 'promote'>) {
    this.#dataPlane = dataPlane;
    this.#results = results;
  }

  /**
   * Lets go of results, and says by edge what they lie in.
   * @throws PartitionLostError (as a rejection) where some of them cannot be read any more
   */
  promote(edges: readonly { readonly edge: number; readonly results: readonly ResultPartitionId[] }[]) {
    return this.#next(async () => {
      const promoted: { edge: number; partitions: readonly KeptPartition[] }[] = [];
      for (const { edge, results } of edges) {
        const partitions = this.#dataPlane.describe?.(edge, await this.#results.promote(results)) ?? [];
        promoted.push({ edge, partitions });
      }
      return promoted;
    });
  }

  /** Keeps promoted results, those of other executors among them: all of them or none. */
  keep(edges: readonly { readonly edge: number; readonly partitions: readonly KeptPartition[] }[]) {
    return this.#next(async () => {
      const kept: KeptResult[] = [];
      try {
        for (const { edge, partitions } of edges) {
          const result = await this.#dataPlane.keep?.(edge, partitions);
          if (result !== undefined) kept.push(result);
        }
      } catch (error) {
        await releaseAll(kept);
        throw error;
      }
      this.#kept = kept;
      return kept;
    });
  }

  /** The run is over: what was kept is released, unless its job has finished. Settles when nothing is under way. */
  end(hasFinished: boolean): Promise<void> {
    return this.#next(async () => {
      if (!hasFinished) await releaseAll(this.#kept);
      this.#kept = [];
    });
  }

  /** One after the other, whether the one before failed or not. */
  #next<Result>(step: () => Promise<Result>): Promise<Result> {
    const next = this.#settled.then(step, step);
    this.#settled = next.catch(() => {});
    return next;
  }
}

/** What cannot be deleted stays: the next run that keeps something there says so. */
async function releaseAll(kept: readonly KeptResult[]): Promise<void> {
  await Promise.allSettled(kept.map(({ directory }) => releaseKeptResult(directory)));
}
