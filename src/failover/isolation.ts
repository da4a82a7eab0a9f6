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
  /** Restarted regions that are held up by a quarantined one, directly or through others. */
  readonly heldUp: readonly RegionId[];
  /** By decision: unfinished regions, restarted or not, that would wait for such consumers; they are quarantined too. */
  readonly blocked: ReadonlySet<RegionId>;
}

/** The regions that are quarantined: those that flap, and those that an earlier decision blocked. */
export interface Isolation {
  readonly quarantined: ReadonlySet<RegionId>;
  readonly blocked: ReadonlySet<RegionId>;
}

/**
 * Isolates quarantined regions from a sound restart. Held up by a quarantined or held-up region is
 *
 * - a region that reads an incomplete result of it, since it could not end. If it runs, it restarts too, and waits
 *   without slots;
 * - a region that has yet to complete a result for it over an exchange whose producer waits for its consumer (`memory`).
 *   It is blocked: it is quarantined too, until nothing holds it up.
 *
 * Everything else goes on: regions that have finished, and those whose inputs are complete. The answer is closed under
 * the recovery rules again. O(regions held up), nothing without quarantined ones.
 */
export function isolated(restart: Restart, { quarantined, blocked }: Isolation, view: IsolationView): IsolatedRestart {
  if (quarantined.size === 0 && blocked.size === 0) {
    return { ...restart, quarantined: [], heldUp: [], blocked };
  }
  let extended = restart;
  for (;;) {
    const restarting = new Set(extended.regions);
    const held = heldUpBy(quarantined, restarting, view);
    const more = new Set<RegionId>();
    for (const region of held.all) if (view.isScheduled(region)) more.add(region);
    for (const region of held.blocked) if (!blocked.has(region)) more.add(region);
    for (const region of blocked) if (!held.blocked.has(region)) more.add(region);
    const added = [...more].filter((region) => !restarting.has(region));
    if (added.length === 0) {
      return {
        ...extended,
        quarantined: extended.regions.filter((region) => quarantined.has(region)),
        heldUp: extended.regions.filter((region) => held.all.has(region)),
        blocked: held.blocked,
      };
    }
    const waiting = new Set(extended.waiting);
    const asked = extended.regions.filter((region) => !waiting.has(region));
    extended = { ...smallestRestart([...asked, ...added], view), why: restart.why };
  }
}

/** The regions that quarantined ones hold up, and those among them that are blocked, if `restarting` ones restart. */
function heldUpBy(
  quarantined: ReadonlySet<RegionId>,
  restarting: ReadonlySet<RegionId>,
  view: IsolationView,
): { readonly all: ReadonlySet<RegionId>; readonly blocked: ReadonlySet<RegionId> } {
  const stopped = new Set(quarantined);
  const blocked = new Set<RegionId>();
  const waiting = new Set<RegionId>();
  // By group: running consumers, so that the others of a group with many producers are visited once.
  const others = new Map<BoundaryGroup, Iterable<number>>();
  const hold = (consumer: RegionId): void => {
    waiting.add(consumer);
    stopped.add(consumer);
  };
  const runs = (region: RegionId): boolean => !restarting.has(region) && view.isScheduled(region);
  for (const region of stopped) {
    for (const group of view.regions.outputsOf(region)) {
      const running: RegionId[] = [];
      for (const each of others.get(group) ?? group.consumerRegions) {
        const consumer = each as RegionId;
        if (!runs(consumer)) hold(consumer);
        else if (!view.hasFinished(consumer)) running.push(consumer);
      }
      if (running.length > 0 && !hasCompleteResults(region, group, view)) {
        running.splice(0).forEach(hold);
      }
      others.set(group, running);
    }
    for (const group of view.regions.inputsOf(region)) {
      if (group.exchange.waitsForConsumer !== true) continue;
      for (const [at, each] of group.producerRegions.entries()) {
        const producer = each as RegionId;
        if (quarantined.has(producer)) continue;
        const isComplete = view.isPartitionComplete((group.firstPartition + at) as PartitionId);
        if (runs(producer) && (isComplete || view.hasFinished(producer))) continue;
        stopped.add(producer);
        blocked.add(producer);
      }
    }
  }
  for (const region of quarantined) stopped.delete(region);
  // They wait for inputs as it is.
  for (const region of waiting) blocked.delete(region);
  return { all: stopped, blocked };
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
