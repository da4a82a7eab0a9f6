import type { FailoverToMasterEvent } from '../../actors/chart-events.ts';
import type { JobEvent, ReusedResult } from '../../actors/job-event.ts';
import type { IsolatedRestart } from '../../failover/isolation.ts';
import type { Restart } from '../../failover/restart-proposal.ts';
import type { PartitionId } from '../../ids.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';

type Decided = Extract<FailoverToMasterEvent, { type: 'failover.decided' }>;

type Books = Pick<JobLedger, 'regions' | 'taskCount' | 'isPartitionReadable' | 'hasFinished'>;

/**
 * The event about a decision, computed before the decision takes effect: the re-used results, and the consumers that
 * keep running, cannot be determined later.
 */
export function decidedEvent(
  {
    failover,
    restart,
    sizes,
    restartAtMs,
    newAttempt,
    restartsLeft,
  }: Omit<Decided, 'type' | 'failure' | 'quarantine' | 'restart'> & { readonly restart: IsolatedRestart },
  books: Books,
  atMs: number,
): Extract<JobEvent, { type: 'failover.decided' }> {
  const { regions, again, why, quarantined, heldUp } = restart;
  const reused = resultsRead(restart, books)
    .filter((partition) => books.isPartitionReadable(partition))
    .map(sizedBy(sizes));
  return {
    type: 'failover.decided',
    atMs,
    failover,
    regions,
    again,
    consumersKeepRunning: consumersKeepRunning(restart, books),
    reused,
    taskCount: books.taskCount(regions) - books.taskCount(quarantined) - books.taskCount(heldUp),
    delayMs: Math.max(0, restartAtMs - atMs),
    newAttempt,
    why,
    ...(restartsLeft !== undefined && { restartsLeft }),
    ...(quarantined.length > 0 && { quarantined }),
    ...(heldUp.length > 0 && { heldUp }),
  };
}

/** The results that the regions of a restart will read, without those that quarantine stops. */
function resultsRead({ regions, reads, quarantined, heldUp }: IsolatedRestart, books: Books): readonly PartitionId[] {
  if (quarantined.length + heldUp.length === 0) return reads;
  const stopped = new Set([...quarantined, ...heldUp]);
  const inputs = new Set<number>();
  for (const region of regions) {
    if (stopped.has(region)) continue;
    for (const { firstPartition, producerRegions } of books.regions.inputsOf(region)) {
      for (let at = 0; at < producerRegions.length; at++) inputs.add(firstPartition + at);
    }
  }
  return reads.filter((partition) => inputs.has(partition));
}

/** A result that was not verified in time has no known size. */
function sizedBy(sizes: Decided['sizes']): (partition: PartitionId) => ReusedResult {
  return (partition) => {
    const { records = 0, bytes = 0 } = sizes.get(partition) ?? {};
    return { partition, records, bytes };
  };
}

function consumersKeepRunning({ regions, again }: Restart, books: Books): boolean {
  const restarting = new Set<number>(regions);
  return again.some((region) =>
    books.regions
      .outputsOf(region)
      .some(({ consumerRegions }) =>
        consumerRegions.some((consumer) => !restarting.has(consumer) && !books.hasFinished(consumer as typeof region)),
      ),
  );
}
