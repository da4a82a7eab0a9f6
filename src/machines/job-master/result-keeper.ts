import type { PartitionId } from '../../ids.ts';
import { isKeptBeyondJob } from '../../graph/keep-results.ts';
import type { JobServices } from '../job-services.ts';

/**
 * Gives up results that everybody has read, when the policy of their exchange says so. What is read again meanwhile
 * stays, and its time begins anew when it was read once more.
 */
export class ResultKeeper {
  readonly #services: Pick<JobServices, 'ledger' | 'gateway' | 'keepResults' | 'environment'>;
  /** One timer for all results that were consumed together and are kept as long. */
  readonly #timers = new Set<unknown>();
  /** Results whose time has not begun, because their producer is still at work. */
  readonly #unfinished = new Set<PartitionId>();
  /** The timer that ends the time of a result; earlier ones do not concern it any more. */
  readonly #timerOf = new Map<PartitionId, unknown>();

  constructor(services: Pick<JobServices, 'ledger' | 'gateway' | 'keepResults' | 'environment'>) {
    this.#services = services;
  }

  /** Nobody reads these results any more. */
  noteConsumed(partitions: readonly PartitionId[]): void {
    const { gateway, ledger, keepResults } = this.#services;
    const byTime = new Map<number, PartitionId[]>();
    for (const partition of partitions) {
      const keep = keepResults(ledger.graph.edgeIndexOfPartition(partition));
      if (isKeptBeyondJob(keep)) {
        ledger.exemptFromRelease([partition]);
        continue;
      }
      // Nobody reads it, and it is to be complete all the same.
      if (keep !== 'until-consumers-finish' && ledger.isBeingProduced(partition)) {
        this.#unfinished.add(partition);
        continue;
      }
      const forMs = typeof keep === 'object' ? keep.ttlMs : keep === 'until-job-ends' ? Infinity : 0;
      const kept = byTime.get(forMs);
      if (kept === undefined) byTime.set(forMs, [partition]);
      else kept.push(partition);
    }
    for (const [forMs, kept] of byTime) {
      if (forMs === 0) this.#giveUp(kept);
      else {
        gateway.allowReclaim(kept.map((partition) => ledger.presentResult(partition)));
        if (forMs !== Infinity) this.#giveUpIn(forMs, kept);
      }
    }
  }

  /** A task finished: the time of those of its results that were consumed before begins. */
  noteProduced(partitions: readonly PartitionId[]): void {
    if (this.#unfinished.size === 0) return;
    const { ledger } = this.#services;
    const due = partitions.filter((partition) => this.#unfinished.delete(partition) && ledger.isConsumed(partition));
    if (due.length > 0) this.noteConsumed(due);
  }

  /** The job has ended. */
  stop(): void {
    for (const timer of this.#timers) this.#services.environment.clock.clearTimeout(timer);
    this.#timers.clear();
    this.#timerOf.clear();
  }

  #giveUpIn(forMs: number, partitions: readonly PartitionId[]): void {
    const { clock } = this.#services.environment;
    const timer = clock.setTimeout(() => {
      this.#timers.delete(timer);
      const due = partitions.filter((partition) => this.#timerOf.get(partition) === timer);
      for (const partition of due) this.#timerOf.delete(partition);
      this.#giveUp(due);
    }, forMs);
    this.#timers.add(timer);
    for (const partition of partitions) this.#timerOf.set(partition, timer);
  }

  #giveUp(partitions: readonly PartitionId[]): void {
    this.#services.gateway.giveUpPartitions(this.#services.ledger.giveUp(partitions));
  }
}
