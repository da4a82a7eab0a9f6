import type { ResultSource } from '../../actors/storage-actor.ts';
import type { TaskDeployment } from '../../actors/protocol/deployment.ts';
import type { ExecutorId, PartitionId, ResultPartitionId } from '../../ids.ts';
import { ArrivalBoard } from '../arrival-board.ts';
import type { ResultDirectory } from '../result-directory.ts';
import type { ResultReach } from '../result-reach.ts';

/** The results of other executors, by the executor that owns them. */
export interface PeerResults {
  source(id: ResultPartitionId, owner: ExecutorId): ResultSource;
}

/**
 * How the tasks of a worker find results: its own in its directory, the others' at the executor that the master names. A
 * result that has no executor yet is waited for until the master says where it was registered.
 */
export class PeerReach implements ResultReach {
  readonly #executor: ExecutorId;
  readonly #own: ResultDirectory;
  readonly #peers: PeerResults;
  readonly #placeByPartition = new Map<PartitionId, ExecutorId>();
  /** The results of other executors that the master has placed. */
  readonly #placed = new ArrivalBoard();

  constructor(executor: ExecutorId, own: ResultDirectory, peers: PeerResults) {
    this.#executor = executor;
    this.#own = own;
    this.#peers = peers;
  }

  note({ inputs }: TaskDeployment): void {
    for (const { partitions, executors } of inputs) {
      for (const [index, executor] of (executors ?? []).entries()) {
        const { partition } = partitions[index] as ResultPartitionId;
        if (executor === null) this.#placeByPartition.delete(partition);
        else this.#placeByPartition.set(partition, executor);
      }
    }
  }

  placed(results: readonly ResultPartitionId[], executor: ExecutorId): void {
    for (const id of results) {
      this.#placeByPartition.set(id.partition, executor);
      this.#placed.arrived(id);
    }
  }

  find(id: ResultPartitionId): ResultSource | undefined {
    const owner = this.#placeByPartition.get(id.partition);
    if (owner === undefined) return undefined;
    return owner === this.#executor ? this.#own.find(id) : this.#peers.source(id, owner);
  }

  /** For an own result that the master placed before it was registered, too: both are waited for. */
  async registered(id: ResultPartitionId, signal: AbortSignal): Promise<void> {
    if (!this.#placeByPartition.has(id.partition)) await this.#placed.until(id, signal);
    if (this.#placeByPartition.get(id.partition) === this.#executor) await this.#own.arrivals.until(id, signal);
  }
}
