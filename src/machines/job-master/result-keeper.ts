import type { PartitionId, ResultPartitionId } from '../../ids.ts';
import type { JobServices } from '../job-services.ts';

/**
 * Releases consumed results at the time set by `keepResults` of their exchange; owns the timers. A result that is read
 * again stays, and its time starts over when it is consumed again.
 */
export class ResultKeeper {
  readonly #services: Pick<JobServices, 'ledger' | 'gateway' | 'environment'>;
  /** One timer for all results that were consumed together and are kept equally long. */
  readonly #timers = new Set<unknown>();
  /** The current timer of a result; earlier timers no longer apply to it. */
  readonly #timerOf = new Map<PartitionId, unknown>();

  constructor(services: Pick<JobServices, 'ledger' | 'gateway' | 'environment'>) {
    this.#services = services;
  }

  /** Every consumer has read these results. */
  noteConsumed(partitions: readonly PartitionId[]): void {
    if (partitions.length === 0) return;
    const { gateway, ledger } = this.#services;
    for (const [forMs, alike] of ledger.results.retentionOf(partitions)) {
      if (forMs === 0) this.#release(alike);
      else {
        const results = alike.map((partition) => ledger.presentResult(partition));
        gateway.allowReclaim(results, this.#traced(results));
        if (forMs !== Infinity) this.#releaseIn(forMs, alike);
      }
    }
  }

  /** The job has ended. */
  stop(): void {
    for (const timer of this.#timers) this.#services.environment.clock.clearTimeout(timer);
    this.#timers.clear();
    this.#timerOf.clear();
  }

  #releaseIn(forMs: number, partitions: readonly PartitionId[]): void {
    const { ledger, environment } = this.#services;
    const { clock } = environment;
    const timer = clock.setTimeout(() => {
      this.#timers.delete(timer);
      const due = partitions.filter((partition) => this.#timerOf.get(partition) === timer);
      for (const partition of due) this.#timerOf.delete(partition);
      // A result that is being reproduced must be complete first; then its time starts.
      this.#release(due.filter((partition) => ledger.results.stateOf(partition) !== 'expected'));
    }, forMs);
    this.#timers.add(timer);
    for (const partition of partitions) this.#timerOf.set(partition, timer);
  }

  #release(partitions: readonly PartitionId[]): void {
    const { gateway, ledger } = this.#services;
    const gone = ledger.results.release(partitions).map((partition) => ledger.presentResult(partition));
    if (gone.length > 0) gateway.releasePartitions(gone, this.#traced(gone));
  }

  /** Results whose producers may run again because of other results. */
  #traced(results: readonly ResultPartitionId[]): ResultPartitionId[] {
    const { ledger } = this.#services;
    return results.filter(({ partition }) => ledger.mayProduceAgain(ledger.graph.producerOf(partition)));
  }
}
