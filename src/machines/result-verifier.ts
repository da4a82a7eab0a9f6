import { affectedRegions } from '../failover/affected-regions.ts';
import type { TaskFailure } from '../failover/failover-strategy.ts';
import type { ExecutionVertexId, FailoverId, PartitionId, RegionId, ResultPartitionId } from '../ids.ts';
import type { JobServices } from './job-services.ts';

/**
 * Looks whether the kept results that restarts will read are still there, each once in a failover; only those that are
 * known to be there are looked at.
 */
export class ResultVerifier {
  readonly #services: Pick<JobServices, 'ledger' | 'gateway'>;
  readonly #lose: (partition: PartitionId, cause: Error) => void;
  readonly #looked = new Map<FailoverId, Set<PartitionId>>();

  /** @param lose hears of each result that is not there, before the answer */
  constructor(services: Pick<JobServices, 'ledger' | 'gateway'>, lose: (partition: PartitionId, cause: Error) => void) {
    this.#services = services;
    this.#lose = lose;
  }

  /** Whether a restart of `regions` (undefined: the smallest sound one) reads results that the failover has not looked at. */
  readsUnverified(failover: FailoverId, failure: TaskFailure, regions: readonly RegionId[] | undefined): boolean {
    return this.#unverified(failover, failure, regions).length > 0;
  }

  /** Looks at those results. Calls `done` once, with how many of them are lost. */
  verify(
    failover: FailoverId,
    failure: TaskFailure,
    regions: readonly RegionId[] | undefined,
    done: (lostCount: number) => void,
  ): void {
    const { ledger, gateway } = this.#services;
    const unverified = this.#unverified(failover, failure, regions);
    const looked = this.#looked.get(failover) ?? new Set();
    this.#looked.set(failover, looked);
    for (const { partition } of unverified) looked.add(partition);
    gateway.verifyResults(unverified, (lost) => {
      for (const { id, cause } of lost) {
        if (ledger.isPresent(id) && ledger.isPartitionReadable(id.partition)) this.#lose(id.partition, cause);
      }
      done(lost.length);
    });
  }

  /** The failover is over. */
  forget(failover: FailoverId): void {
    this.#looked.delete(failover);
  }

  #unverified(
    failover: FailoverId,
    { vertex, lostPartitions }: TaskFailure,
    decided: readonly RegionId[] | undefined,
  ): ResultPartitionId[] {
    if (vertex === undefined) return [];
    const { ledger } = this.#services;
    const { graph, regions } = ledger;
    const restarting =
      decided === undefined
        ? affectedRegions([regions.regionOf(vertex)], ledger, new Set(lostPartitions))
        : new Set(decided);
    const looked = this.#looked.get(failover);
    const seen = new Set<number>();
    const ids: ResultPartitionId[] = [];
    const visitGroup = (group: number): void => {
      if (seen.has(group)) return;
      seen.add(group);
      if (graph.exchangeOfGroup(group).joinsRegions) return;
      const edge = graph.edgeIndexOfGroup(group);
      for (let at = graph.producerStart(group); at < graph.producerEnd(group); at++) {
        const producer = at as ExecutionVertexId;
        const partition = graph.partitionOf(edge, producer);
        if (restarting.has(regions.regionOf(producer)) || !ledger.isPartitionReadable(partition)) continue;
        if (looked?.has(partition) !== true) ids.push(ledger.presentResult(partition));
      }
    };
    for (const region of restarting.keys()) {
      regions.forEachVertex(region, (member) => graph.forEachConsumedGroup(member, visitGroup));
    }
    return ids;
  }
}
