import type { ExecutorToMasterMessage, MasterPort, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import type { KeptPartition, KeptResult } from '../actors/protocol/deployment.ts';
import { toError } from '../errors/thrown-value.ts';
import type { ResultPartitionId } from '../ids.ts';
import { toPlainError } from '../plain-error.ts';
import { releaseKeptResult } from '../partitions/storage/kept-result.ts';
import type { DataPlane } from './data-plane.ts';
import type { ResultStore } from './result-store.ts';

/** Keeps results of an executor beyond the job, and releases them if the job does not finish. */
export class ResultKeeping {
  readonly #dataPlane: Pick<DataPlane, 'describe' | 'keep'>;
  readonly #results: Pick<ResultStore, 'promote'>;
  #kept: KeptResult[] = [];
  /** Settles when no promotion, keeping or release is under way. */
  #settled: Promise<unknown> = Promise.resolve();

  constructor(dataPlane: Pick<DataPlane, 'describe' | 'keep'>, results: Pick<ResultStore, 'promote'>) {
    this.#dataPlane = dataPlane;
    this.#results = results;
  }

  /** Does what the master asks, and answers. */
  answer(
    message: Extract<MasterToExecutorMessage, { type: 'results.promote' | 'results.keep' }>,
    port: Pick<MasterPort, 'post'>,
  ): void {
    const { token } = message;
    const done: Promise<ExecutorToMasterMessage> =
      message.type === 'results.promote'
        ? this.promote(message.edges).then((edges) => ({ type: 'results.promoted', token, edges }))
        : this.keep(message.edges).then((kept) => ({ type: 'results.kept', token, kept }));
    done.then(
      (answer) => port.post(answer),
      (error: unknown) => port.post({ type: 'results.promotionFailed', token, cause: toPlainError(toError(error)) }),
    );
  }

  /**
   * Promotes results, and describes their files by edge.
   * @throws PartitionLostError (as a rejection) if one of them is no longer readable
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

  /** Keeps promoted results, including those of other executors: all or none. */
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

  /** Ends the run: releases the kept results, unless the job has finished. Settles when all work is complete. */
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
