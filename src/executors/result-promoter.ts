import type { PromotedEdge } from '../actors/protocol/deployment.ts';
import type { MasterPort, MasterToExecutorMessage } from '../actors/protocol/messages.ts';
import { toError } from '../errors/thrown-value.ts';
import { toPlainError } from '../plain-error.ts';
import type { DataPlane } from './data-plane.ts';
import type { ResultStore } from './result-store.ts';

type Promote = Extract<MasterToExecutorMessage, { type: 'results.promote' }>;

/** Promotes results of an executor, which the run then keeps beyond the job. */
export class ResultPromoter {
  readonly #dataPlane: Pick<DataPlane, 'promote'>;
  readonly #results: Pick<ResultStore, 'promote'>;
  /** Settles when no promotion is under way. */
  #settled: Promise<unknown> = Promise.resolve();

  constructor(dataPlane: Pick<DataPlane, 'promote'>, results: Pick<ResultStore, 'promote'>) {
    this.#dataPlane = dataPlane;
    this.#results = results;
  }

  /** Does what the master asks, and answers. */
  answer({ token, edges }: Promote, port: Pick<MasterPort, 'post'>): void {
    this.promote(edges).then(
      (promoted) => port.post({ type: 'results.promoted', token, edges: promoted }),
      (error: unknown) => port.post({ type: 'results.promotionFailed', token, cause: toPlainError(toError(error)) }),
    );
  }

  /**
   * Promotes results, and describes their files by edge.
   * @throws PartitionLostError (as a rejection) if one of them is no longer readable
   */
  promote(edges: Promote['edges']): Promise<readonly PromotedEdge[]> {
    const promoting = this.#promote(edges);
    this.#settled = Promise.allSettled([this.#settled, promoting]);
    return promoting;
  }

  /** Settles when no promotion is under way. */
  async settled(): Promise<void> {
    await this.#settled;
  }

  async #promote(edges: Promote['edges']): Promise<PromotedEdge[]> {
    const promoted: PromotedEdge[] = [];
    for (const { edge, results } of edges) {
      const partitions = (await this.#dataPlane.promote?.(edge, await this.#results.promote(results))) ?? [];
      promoted.push({ edge, partitions });
    }
    return promoted;
  }
}
