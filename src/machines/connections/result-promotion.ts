import type { KeepingToMasterEvent } from '../../actors/chart-events.ts';
import type { KeptResult, PromotedEdge, PromotedPartition } from '../../actors/protocol/deployment.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';
import type { Ask } from './result-questions.ts';

export interface PromotionOptions {
  readonly ledger: JobLedger;
  /** Keeps promoted results of all executors beyond the job: all or none. Default: there are none. */
  readonly keep?: (edges: readonly PromotedEdge[]) => Promise<readonly KeptResult[]>;
}

/**
 * Keeps results beyond the job. Each executor promotes its own results and describes their files; when all have, the run
 * keeps them. The first failure ends the promotion.
 */
export class ResultPromotion {
  readonly #ledger: JobLedger;
  readonly #ask: Ask;
  readonly #keep: NonNullable<PromotionOptions['keep']>;
  readonly #done: (outcome: KeepingToMasterEvent) => void;
  readonly #promoted = new Map<number, PromotedPartition[]>();
  #isOver = false;

  /** @param done called once with the outcome */
  constructor(
    { ledger, keep = () => Promise.resolve([]) }: PromotionOptions,
    ask: Ask,
    done: (outcome: KeepingToMasterEvent) => void,
  ) {
    this.#ledger = ledger;
    this.#ask = ask;
    this.#keep = keep;
    this.#done = done;
  }

  begin(): void {
    const byExecutor = this.#byExecutor();
    if (byExecutor === undefined) return;
    let open = byExecutor.size;
    for (const [executor, edges] of byExecutor) {
      const asked = [...edges].map(([edge, results]) => ({ edge, results }));
      this.#ask(executor, (token) => ({ type: 'results.promote', token, edges: asked }), {
        answered: (answer) => {
          if (answer.type === 'results.promotionFailed') return this.#failed(fromPlainError(answer.cause));
          if (answer.type !== 'results.promoted') return;
          for (const { edge, partitions } of answer.edges) this.#promoted.get(edge)?.push(...partitions);
          if (--open === 0 && !this.#isOver) this.#keepAll();
        },
        gone: (cause) => this.#failed(cause),
      });
    }
  }

  /** The results by executor and edge. Undefined if one has no executor, which ends the promotion. */
  #byExecutor(): Map<ExecutorId, Map<number, ResultPartitionId[]>> | undefined {
    const byExecutor = new Map<ExecutorId, Map<number, ResultPartitionId[]>>();
    const { graph, results } = this.#ledger;
    for (const edge of results.keptEdges) {
      this.#promoted.set(edge, []);
      for (const partition of graph.partitionsOfEdge(edge)) {
        const id = this.#ledger.presentResult(partition);
        const executor = results.placeOf(partition);
        if (executor === undefined) {
          this.#failed(new PartitionLostError(id, 'the executor that held it is gone'));
          return undefined;
        }
        const edges = byExecutor.get(executor) ?? new Map<number, ResultPartitionId[]>();
        byExecutor.set(executor, edges);
        const ids = edges.get(edge);
        if (ids === undefined) edges.set(edge, [id]);
        else ids.push(id);
      }
    }
    return byExecutor;
  }

  #keepAll(): void {
    this.#keep([...this.#promoted].map(([edge, partitions]) => ({ edge, partitions }))).then(
      (kept) => this.#end({ type: 'results.kept', kept }),
      (error: unknown) => this.#failed(toError(error)),
    );
  }

  #failed(cause: Error): void {
    this.#end({ type: 'results.keepFailed', cause });
  }

  #end(outcome: KeepingToMasterEvent): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(outcome);
  }
}
