import type { PlacedRegistration } from '../../actors/executor-gateway.ts';
import type { PartitionRegistration, TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { ExecutorId, PartitionId } from '../../ids.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';

/**
 * Where the results are. Executors that share them (those of one process) find them by themselves. Others are told which
 * executor has the inputs of a task: with its deployment, or, if the task is deployed before, once they are registered.
 */
export class ResultPlaces {
  readonly #ledger: Pick<JobLedger, 'attempts' | 'results'>;
  readonly #areShared: boolean;
  readonly #tell: (executor: ExecutorId, message: MasterToExecutorMessage) => void;
  /** The executors whose tasks read results that no executor has yet. */
  readonly #awaiting = new Map<PartitionId, Set<ExecutorId>>();

  constructor(
    ledger: Pick<JobLedger, 'attempts' | 'results'>,
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
        const place = this.#ledger.results.placeOf(partition);
        if (place === undefined) this.#await(partition, executor);
        return place ?? null;
      }),
    }));
    return { ...deployment, inputs };
  }

  /**
   * Those of these registrations whose tasks would reproduce a result apart from its remains, which another executor has:
   * the recorded order and the trace are there, so nothing tells that it is the same. None where results are shared.
   */
  apartFromRemains(partitions: readonly PlacedRegistration[]): PlacedRegistration[] {
    if (this.#areShared) return [];
    return partitions.filter(({ executor, registration: { producer, origin } }) => {
      const former = this.#ledger.results.executorOf(producer);
      return (origin === 'again' || origin === 'unread') && former !== undefined && former !== executor;
    });
  }

  /** Records the executor of a result. A new one releases what an earlier attempt left on another executor. */
  place({ producer, id, origin }: PartitionRegistration, executor: ExecutorId): void {
    const { attempts, results } = this.#ledger;
    const before = results.place(producer, id.attempt, executor);
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

  #await(partition: PartitionId, executor: ExecutorId): void {
    const waiting = this.#awaiting.get(partition) ?? new Set();
    this.#awaiting.set(partition, waiting.add(executor));
  }
}
