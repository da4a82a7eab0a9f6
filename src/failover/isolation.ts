import type { BoundaryGroup } from '../graph/region-boundaries.ts';
import type { PartitionId, RegionId } from '../ids.ts';
import { type RecoveryView, type Restart, smallestRestart } from './restart-proposal.ts';

/** The current state of a job, as isolation needs it. */
export interface IsolationView extends RecoveryView {
  /** Whether a region was scheduled, and not told to restart since. */
  isScheduled(region: RegionId): boolean;
  /** Whether a region has finished and read its inputs to the end. */
  hasFinished(region: RegionId): boolean;
  /** Whether a result is complete and not lost, so that a running consumer can end. */
  isPartitionComplete(partition: PartitionId): boolean;
}

/** A restart that takes quarantined regions into account. */
export interface IsolatedRestart extends Restart {
  /** Restarted regions that are quarantined: they begin no attempt before they are released. */
  readonly quarantined: readonly RegionId[];
  /** Restarted regions that are held up: they wait, directly or through others, for a quarantined one. */
  readonly heldUp: readonly RegionId[];
}

/**
 * Isolates quarantined regions from a sound restart. A region that reads an incomplete result of a quarantined or held-up
 * region is held up: it could not end. If it runs, it restarts too, and waits without slots. Everything else goes on:
 * regions that have finished, and those whose inputs from held-up regions are complete.
 *
 * The answer is closed under the recovery rules again. O(regions behind quarantined ones), nothing without any.
 */
export function isolated(restart: Restart, quarantined: ReadonlySet<RegionId>, view: IsolationView): IsolatedRestart {
  if (quarantined.size === 0) return { ...restart, quarantined: [], heldUp: [] };
  let extended = restart;
  for (;;) {
    const restarting = new Set(extended.regions);
    const heldUp = heldUpBy(quarantined, restarting, view);
    const starving = [...heldUp].filter((region) => !restarting.has(region) && view.isScheduled(region));
    if (starving.length === 0) {
      return {
        ...extended,
        quarantined: extended.regions.filter((region) => quarantined.has(region)),
        heldUp: extended.regions.filter((region) => heldUp.has(region)),
      };
    }
    const waiting = new Set(extended.waiting);
    const asked = extended.regions.filter((region) => !waiting.has(region));
    extended = { ...smallestRestart([...asked, ...starving], view), why: restart.why };
  }
}

/** The regions that wait for quarantined ones, directly or through others, if `restarting` ones restart. */
function heldUpBy(
  quarantined: ReadonlySet<RegionId>,
  restarting: ReadonlySet<RegionId>,
  view: IsolationView,
): ReadonlySet<RegionId> {
  const stopped = new Set(quarantined);
  // By group: running consumers, so that the others of a group with many producers are visited once.
  const others = new Map<BoundaryGroup, Iterable<number>>();
  for (const producer of stopped) {
    for (const group of view.regions.outputsOf(producer)) {
      const running: number[] = [];
      for (const each of others.get(group) ?? group.consumerRegions) {
        const consumer = each as RegionId;
        if (restarting.has(consumer) || !view.isScheduled(consumer)) stopped.add(consumer);
        else if (!view.hasFinished(consumer)) running.push(consumer);
      }
      if (running.length > 0 && !hasCompleteResults(producer, group, view)) {
        for (const consumer of running.splice(0)) stopped.add(consumer as RegionId);
      }
      others.set(group, running);
    }
  }
  const heldUp = new Set(stopped);
  for (const region of quarantined) heldUp.delete(region);
  return heldUp;
}

/** Whether the results of a region for a group are complete. */
function hasCompleteResults(
  producer: RegionId,
  { producerRegions, firstPartition }: BoundaryGroup,
  view: IsolationView,
): boolean {
  for (let at = 0; at < producerRegions.length; at++) {
    if (producerRegions[at] !== producer) continue;
    if (!view.isPartitionComplete((firstPartition + at) as PartitionId)) return false;
  }
  return true;
}
