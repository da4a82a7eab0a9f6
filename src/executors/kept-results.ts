import type { KeptResult, PromotedEdge } from '../actors/protocol/deployment.ts';
import { releaseKeptResult } from '../partitions/storage/kept-result.ts';
import type { DataPlane } from './data-plane.ts';

/** Keeps the results of a run beyond it, in the thread of the run, and releases them unless the job finishes. */
export class KeptResults {
  readonly #dataPlane: Pick<DataPlane, 'keep'>;
  #kept: KeptResult[] = [];
  /** Settles when no keeping or release is under way. */
  #settled: Promise<unknown> = Promise.resolve();

  /** @param dataPlane that of the run, for all of its executors */
  constructor(dataPlane: Pick<DataPlane, 'keep'>) {
    this.#dataPlane = dataPlane;
  }

  /** Keeps the results that all executors have promoted: all or none. */
  keep(edges: readonly PromotedEdge[]): Promise<readonly KeptResult[]> {
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

  /** Ends the run: releases what it has kept, unless the job has finished. Settles when all work is complete. */
  end(hasFinished: boolean): Promise<void> {
    return this.#next(async () => {
      if (!hasFinished) await releaseAll(this.#kept);
      this.#kept = [];
    });
  }

  /** Runs steps one after the other, even after a failure. */
  #next<Result>(step: () => Promise<Result>): Promise<Result> {
    const next = this.#settled.then(step, step);
    this.#settled = next.catch(() => {});
    return next;
  }
}

/** Files that cannot be deleted stay; the next run that keeps results there reports them. */
async function releaseAll(kept: readonly KeptResult[]): Promise<void> {
  await Promise.allSettled(kept.map(({ directory }) => releaseKeptResult(directory)));
}
