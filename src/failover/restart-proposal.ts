import type { BoundaryGroup } from '../graph/region-boundaries.ts';
import type { Topology } from '../graph/topology.ts';
import type { PartitionId, RegionId } from '../ids.ts';
import { affectedRegions } from './affected-regions.ts';
import type { RestartMode } from '../graph/reproducibility.ts';
import type { RestartCommand } from './restart-plan.ts';
import { failedRegions, type TaskFailure } from './failover-strategy.ts';
import { type AskedRestart, madeSound, soundDecision, type SoundRestart } from './sound-decision.ts';

/** The current state of a job, as proposals need it. */
export interface RecoveryView extends Topology {
  /** Whether the result of a partition's current attempt is readable now, complete or not. */
  isPartitionReadable(partition: PartitionId): boolean;
  /** Whether a region has not begun its current attempt and waits for inputs or slots. */
  isWaiting(region: RegionId): boolean;
}

/** A sound set of regions to restart, with its consequences. */
export interface Restart {
  readonly kind: 'restart';
  /** All restarted regions, including waiting ones. */
  readonly regions: readonly RegionId[];
  /** Restarted regions that reproduce their results, so that their consumers keep running. */
  readonly again: readonly RegionId[];
  /** Restarted regions that have not begun, and wait again for results that are reproduced. */
  readonly waiting: readonly RegionId[];
  /** Results of other regions that the restarted regions will re-read. */
  readonly reads: readonly PartitionId[];
  /** The strategy's reason, and why more regions restart than it asked for. */
  readonly why: string | undefined;
}

/** What a restart tells each of its regions. */
export function restartCommands({
  regions,
  again,
  waiting,
}: Pick<Restart, 'regions' | 'again' | 'waiting'>): Map<RegionId, RestartCommand> {
  const commands = new Map<RegionId, RestartCommand>(regions.map((region) => [region, 'new']));
  for (const region of again) commands.set(region, 'again');
  for (const region of waiting) commands.set(region, 'wait');
  return commands;
}

/** A failover as a value: what restarts, or why nothing does, or what is wrong with the strategy's answer. */
export type RestartProposal =
  | Restart
  | { readonly kind: 'fail'; readonly cause: Error; readonly why: string | undefined }
  | { readonly kind: 'invalid'; readonly problem: string };

/** The answer of a strategy, unchecked. */
export interface StrategyAnswer {
  readonly decision: unknown;
}

/**
 * Proposes what to do about a failure in the current state: by a strategy's answer, or without one the smallest sound
 * restart. A failure of the job as a whole restarts everything, whatever the strategy answers.
 *
 * O(vertices, groups and results of the answer).
 */
export function propose(
  failure: Pick<TaskFailure, 'vertex' | 'alsoFailed' | 'cause' | 'lostPartitions'>,
  view: RecoveryView,
  answer?: StrategyAnswer,
): RestartProposal {
  if (failure.vertex === undefined) return proposeEverything(view);
  if (answer === undefined) {
    return smallestRestart(failedRegions(failure, view.regions), view, failure.lostPartitions);
  }
  const sound = soundDecision(answer.decision, failure, view);
  return sound.kind === 'restart' ? completed(sound, view) : sound;
}

/** Proposes what valid answers ask for together, made sound. */
export function proposeAsked(asked: AskedRestart, view: RecoveryView): Restart {
  return completed(madeSound(asked, view), view);
}

/**
 * A restart as it has to be now, if some time has passed since it was proposed: of the consumers of regions that run
 * `again`, those wait again that have not begun by now, and those that have begun since continue.
 */
export function broughtUpToDate(restart: Restart, view: RecoveryView): Restart {
  if (restart.again.length === 0) return restart;
  const before = new Set(restart.waiting);
  const restarting = new Set(restart.regions.filter((region) => !before.has(region)));
  const waiting = regionsToWaitAgain(restarting, restart.again, view);
  return { ...restart, regions: [...restarting, ...waiting], waiting };
}

function completed({ regions, again, why }: SoundRestart, view: RecoveryView): Restart {
  return complete(new Set(regions), again, why, view);
}

/** The smallest sound restart for a set of failed regions. */
export function smallestRestart(
  failed: Iterable<RegionId>,
  view: RecoveryView,
  lost: Iterable<PartitionId> = [],
): Restart {
  const affected = affectedRegions(failed, view, new Set(lost));
  return complete(affected, regionsIn(affected, 'again'), undefined, view);
}

/** Restarts everything and re-reads nothing. */
export function proposeEverything({ regions: { count } }: Pick<RecoveryView, 'regions'>): Restart {
  const regions = Array.from({ length: count }, (_, region) => region as RegionId);
  return { kind: 'restart', regions, again: [], waiting: [], reads: [], why: undefined };
}

function regionsIn(affected: ReadonlyMap<RegionId, RestartMode>, wanted: RestartMode): RegionId[] {
  const found: RegionId[] = [];
  for (const [region, mode] of affected) if (mode === wanted) found.push(region);
  return found;
}

function complete(
  restarting: ReadonlySet<RegionId> | ReadonlyMap<RegionId, RestartMode>,
  again: readonly RegionId[],
  why: string | undefined,
  view: RecoveryView,
): Restart {
  const waiting = regionsToWaitAgain(restarting, again, view);
  const regions = [...restarting.keys(), ...waiting];
  return { kind: 'restart', regions, again, waiting, reads: resultsRead(restarting, view), why };
}

/** The consumers of regions that run `again` which have not begun: they wait again. Running consumers continue. */
function regionsToWaitAgain(
  restarting: { has(region: RegionId): boolean },
  again: readonly RegionId[],
  view: RecoveryView,
): RegionId[] {
  const waiting = new Set<RegionId>();
  const seen = new Set<BoundaryGroup>();
  for (const producer of again) {
    for (const group of view.regions.outputsOf(producer)) {
      if (seen.has(group) || group.exchange.consumption !== 'after-producer-finished') continue;
      seen.add(group);
      for (const consumer of group.consumerRegions) {
        if (!restarting.has(consumer as RegionId) && view.isWaiting(consumer as RegionId)) {
          waiting.add(consumer as RegionId);
        }
      }
    }
  }
  return [...waiting];
}

/** The readable results of other regions that the restarting regions will read. */
function resultsRead(
  restarting: ReadonlySet<RegionId> | ReadonlyMap<RegionId, RestartMode>,
  view: RecoveryView,
): PartitionId[] {
  const reads: PartitionId[] = [];
  const seen = new Set<BoundaryGroup>();
  for (const consumer of restarting.keys()) {
    for (const group of view.regions.inputsOf(consumer)) {
      if (seen.has(group)) continue;
      seen.add(group);
      for (const [at, producer] of group.producerRegions.entries()) {
        const partition = (group.firstPartition + at) as PartitionId;
        if (!restarting.has(producer as RegionId) && view.isPartitionReadable(partition)) reads.push(partition);
      }
    }
  }
  return reads;
}
