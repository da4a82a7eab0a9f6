import type { PlacedRegistration } from '../../actors/executor-gateway.ts';
import type { PartitionRegistration, TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExecutionVertexId, ExecutorId, PartitionId } from '../../ids.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';

type PlacesLedger = Pick<JobLedger, 'attempts' | 'declarations' | 'graph' | 'loseRemains' | 'results'>;

/**
 * Where the results are. Executors that share them (those of one process) find them by themselves. Others are told which
 * executor has the inputs of a task: with its deployment, or, if the task is deployed before, once they are registered.
 */
export class ResultPlaces {
  readonly #ledger: PlacesLedger;
  readonly #areShared: boolean;
  readonly #tell: (executor: ExecutorId, message: MasterToExecutorMessage) => void;
  /** By producer: the executor at which its results were last registered, also after its loss. */
  readonly #latest = new Map<ExecutionVertexId, ExecutorId>();
  /** The executors whose tasks read results that no executor has yet. */
  readonly #awaiting = new Map<PartitionId, Set<ExecutorId>>();

  constructor(
    ledger: PlacesLedger,
    areShared: boolean,
    tell: (executor: ExecutorId, message: MasterToExecutorMessage) => void,
  ) {
    this.#ledger = ledger;
    this.#areShared = areShared;
    this.#tell = tell;
  }

  /** The deployment with the executors of its inputs, unless they are shared. O(inputs) */
  locate(executor: ExecutorId, deployment: TaskDeployment): TaskDeployment {
    if (this.#areShared) return deployment;
    const inputs = deployment.inputs.map((input) => ({
      ...input,
      executors: input.partitions.map(({ partition }) => {
        const place = this.#placeOf(partition);
        if (place === undefined) this.#await(partition, executor);
        return place ?? null;
      }),
    }));
    return { ...deployment, inputs };
  }

  /**
   * Refuses registrations by which tasks would reproduce results apart from their remains, which another executor has: the
   * recorded order and the trace are there, so nothing tells that they are the same. The remains are given up, so that the
   * next decision makes new results, also for their consumers. Nothing is refused where results are shared.
   */
  refuseApart(
    partitions: readonly PlacedRegistration[],
  ): { readonly producer: ExecutionVertexId; readonly cause: Error } | undefined {
    if (this.#areShared) return undefined;
    const apart = partitions.filter((placed) => this.#isApart(placed));
    for (const { registration } of apart) this.#ledger.loseRemains(registration.producer);
    if (apart[0] === undefined) return undefined;
    const { id, producer } = apart[0].registration;
    const former = this.#ledger.results.executorOf(producer);
    const why = `executor ${former}, which has what is left of it, has no free slot`;
    return { producer, cause: new PartitionLostError(id, why) };
  }

  /** Records the executor of a result. A new one releases what an earlier attempt left on another executor. */
  place({ producer, id, origin }: PartitionRegistration, executor: ExecutorId): void {
    // The task has another attempt, and it is not decided yet whose results are read.
    if (origin === 'beside') return;
    const { attempts, results } = this.#ledger;
    const before = results.place(producer, id.attempt, executor);
    this.#latest.set(producer, executor);
    const waiting = this.#awaiting.get(id.partition);
    this.#awaiting.delete(id.partition);
    for (const one of waiting ?? []) this.#tell(one, { type: 'results.placed', ids: [id], executor });
    if (before === undefined || before.executor === executor || origin !== 'new') return;
    const ids = attempts.resultsOf(producer, before.attempt).map((result) => result.id);
    this.#tell(before.executor, { type: 'results.release', ids, traced: [] });
  }

  /** A lost executor waits for nothing. */
  forget(executor: ExecutorId): void {
    for (const waiting of this.#awaiting.values()) waiting.delete(executor);
  }

  /**
   * The executor that has a result, or had it: a lost one is not waited for, and there its reader finds that it is lost.
   * Undefined if it is still to be registered.
   */
  #placeOf(partition: PartitionId): ExecutorId | undefined {
    const { graph, results } = this.#ledger;
    const place = results.placeOf(partition);
    if (place !== undefined || results.isAvailable(partition)) return place;
    return this.#latest.get(graph.producerOf(partition));
  }

  #isApart({ executor, registration: { id, producer, origin } }: PlacedRegistration): boolean {
    const { declarations, graph, results } = this.#ledger;
    const former = results.executorOf(producer);
    if ((origin !== 'again' && origin !== 'unread') || former === undefined || former === executor) return false;
    // Nothing is left of a result that only its own region reads.
    return !graph.exchangeOfPartition(id.partition).joinsRegions || declarations.keepsOrder(producer);
  }

  #await(partition: PartitionId, executor: ExecutorId): void {
    const waiting = this.#awaiting.get(partition) ?? new Set();
    this.#awaiting.set(partition, waiting.add(executor));
  }
}
