import type { ResultSource } from '../actors/storage-actor.ts';
import type { ExecutionVertexId, PartitionId, ResultPartitionId } from '../ids.ts';
import type { ByteBudget } from '../partitions/byte-budget.ts';
import type { ChannelOrder } from '../partitions/channel-order.ts';
import { ArrivalBoard } from './arrival-board.ts';
import type { HeldResult, OwnedResult } from './held-result.ts';

/** An executor's interface to the other executors of its process. */
export interface ResultShelf {
  readonly held: Iterable<HeldResult>;
  find(id: ResultPartitionId): ResultSource | undefined;
  /** Hands over a result with its chart, because the next attempt of its producer registers. */
  take(partition: PartitionId): HeldResult | undefined;
  takeOrder(vertex: ExecutionVertexId): ChannelOrder | undefined;
  /** Results that the master allows it to reclaim. */
  readonly reclaimable: Iterable<OwnedResult>;
}

/**
 * The directory in which the tasks of a process find the results of its executors. It is part of the data plane:
 * records and storages pass directly between executors of a process, while each executor owns its results and gets
 * commands about them from the master.
 */
export class ResultDirectory {
  readonly arrivals = new ArrivalBoard();
  readonly #shelves = new Set<ResultShelf>();

  add(shelf: ResultShelf): void {
    this.#shelves.add(shelf);
  }

  /** Removes a lost executor. */
  remove(shelf: ResultShelf): void {
    this.#shelves.delete(shelf);
  }

  get held(): HeldResult[] {
    return [...this.#shelves].flatMap((shelf) => [...shelf.held]);
  }

  readonly find = (id: ResultPartitionId): ResultSource | undefined => {
    for (const shelf of this.#shelves) {
      const found = shelf.find(id);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  /** Drops what earlier attempts have left of a partition. RS1: two of them, if the task had a second attempt. */
  drop(partition: PartitionId): void {
    for (const shelf of this.#shelves) shelf.take(partition)?.drop();
  }

  /** Takes the result of a partition from its executor. RS1: there is one at most that may be reproduced. */
  take(partition: PartitionId): HeldResult | undefined {
    for (const shelf of this.#shelves) {
      const taken = shelf.take(partition);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  takeOrder(vertex: ExecutionVertexId): ChannelOrder | undefined {
    let order: ChannelOrder | undefined;
    for (const shelf of this.#shelves) order = shelf.takeOrder(vertex) ?? order;
    return order;
  }

  /**
   * Reclaims results until `bytes` fit, quickest to recompute first; none if all of them would not be enough.
   * O(reclaimable results).
   *
   * @param edge the edge of the exchange that needs space
   */
  reclaim(bytes: number, budget: ByteBudget, edge: number): void {
    const isOwn = budget.isPart && budget.tooSmallFor(bytes) === budget;
    const candidates = [...this.#shelves]
      .flatMap((shelf) => [...shelf.reclaimable])
      .filter((result) => !isOwn || result.edge === edge)
      .map((result) => ({ result, bytes: result.output.statistics().spilledBytes }))
      .filter((candidate) => candidate.bytes > 0)
      .sort((a, b) => a.result.producedMs - b.result.producedMs);
    const most = candidates.reduce((sum, candidate) => sum + candidate.bytes, 0);
    if (!budget.hasRoomFor(bytes - most)) return;
    for (const { result } of candidates) {
      if (budget.hasRoomFor(bytes)) return;
      result.tell({ type: 'partition.reclaim' });
    }
  }
}
