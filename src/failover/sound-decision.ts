import { toError } from '../errors/thrown-value.ts';
import { propertyOf, show } from '../foreign-value.ts';
import type { Topology } from '../graph/topology.ts';
import type { PartitionId, RegionId } from '../ids.ts';
import { isThenable, refusePromise } from '../user-code.ts';
import { affectedRegions } from './affected-regions.ts';
import { failedRegions, type TaskFailure } from './failover-strategy.ts';

/** A sound set of regions to restart. */
export interface SoundRestart {
  readonly kind: 'restart';
  readonly regions: readonly RegionId[];
  /** Regions that reproduce their results. */
  readonly again: readonly RegionId[];
  readonly why: string | undefined;
}

/** A checked answer of a strategy: a sound set of regions to restart, a failure of the job, or an invalid answer. */
export type SoundDecision =
  | SoundRestart
  | { readonly kind: 'fail'; readonly cause: Error; readonly why: string | undefined }
  | { readonly kind: 'invalid'; readonly problem: string };

/**
 * A stable copy of a strategy's answer: its regions may come from a one-shot iterator, or from code that throws. At
 * most `mostRegions` are taken.
 *
 * @throws any error that reading the answer throws
 */
export function decisionValue(decision: unknown, mostRegions: number): unknown {
  refuseLater('failoverStrategy', decision);
  if (typeof decision !== 'object' || decision === null) return decision;
  const { kind, regions, why, cause: given } = decision as Record<string, unknown>;
  refuseLater('regions of failoverStrategy', regions);
  const cause = isError(given) ? toError(given) : undefined;
  if (!isIterable(regions)) return { kind, regions, cause, why };
  const taken: unknown[] = [];
  for (const region of regions) {
    taken.push(region);
    if (taken.length >= mostRegions) break;
  }
  return { kind, regions: taken, cause, why };
}

/** @throws InvalidArgumentError for a promise */
function refuseLater(what: string, answer: unknown): void {
  const remedy = 'a synchronous answer; for an asynchronous one use a machine made with failoverStrategySetup';
  if (isThenable(answer)) refusePromise(what, answer, remedy);
}

/** The regions that a strategy asked for. More may have to restart with them. */
export interface AskedRestart {
  readonly kind: 'restart';
  readonly regions: ReadonlySet<RegionId>;
  readonly why: string | undefined;
}

/** A checked answer of a strategy, which may not be sound yet. */
export type AskedDecision = AskedRestart | Exclude<SoundDecision, SoundRestart>;

/**
 * Checks the answer of a failover strategy, which may be user code. A restart must name existing regions, including
 * that of the failed task.
 */
export function askedDecision(
  decision: unknown,
  failure: Pick<TaskFailure, 'vertex' | 'cause'>,
  topology: Topology,
): AskedDecision {
  if (typeof decision !== 'object' || decision === null) return invalid(`it answered ${show(decision)}`);
  const { kind, regions, cause, why } = decision as Record<string, unknown>;
  const said = typeof why === 'string' ? why : undefined;
  if (kind === 'fail') {
    return { kind: 'fail', cause: isError(cause) ? cause : failure.cause, why: said };
  }
  if (kind !== 'restart') return invalid(`it answered kind ${show(kind)}, neither "restart" nor "fail"`);
  if (!isIterable(regions)) return invalid('it named no regions');
  const asked = new Set<RegionId>();
  for (const region of regions) {
    if (!Number.isInteger(region) || (region as number) < 0 || (region as number) >= topology.regions.count) {
      return invalid(`it named region ${show(region)}, regions are 0 to ${topology.regions.count - 1}`);
    }
    asked.add(region as RegionId);
  }
  if (failure.vertex !== undefined) {
    const failed = topology.regions.regionOf(failure.vertex);
    if (!asked.has(failed)) return invalid(`it left out region ${failed}, the region of the failed task`);
  }
  return { kind: 'restart', regions: asked, why: said };
}

/** Adds the regions that correctness requires to those that were asked for, and says so. */
export function madeSound(
  { regions: asked, why }: AskedRestart,
  topology: Topology,
  lost: Iterable<PartitionId> = [],
  failed: Iterable<RegionId> = [],
): SoundRestart {
  const sound = affectedRegions([...asked, ...failed], topology, new Set(lost));
  const again: RegionId[] = [];
  for (const [region, mode] of sound) if (mode === 'again') again.push(region);
  if (sound.size === asked.size) return { kind: 'restart', regions: [...asked], again, why };
  const more = sound.size - asked.size;
  const also = [...failed].some((region) => !asked.has(region)) ? 'failed too, ' : '';
  const added = `${more} more ${more === 1 ? 'region was' : 'regions were'} added: they ${also}read recomputed results, or produce lost ones`;
  return { kind: 'restart', regions: [...sound.keys()], again, why: why === undefined ? added : `${why}; ${added}` };
}

/** Both: checks the answer of a strategy, and makes it sound. */
export function soundDecision(
  decision: unknown,
  failure: Pick<TaskFailure, 'vertex' | 'alsoFailed' | 'cause' | 'lostPartitions'>,
  topology: Topology,
): SoundDecision {
  const asked = askedDecision(decision, failure, topology);
  if (asked.kind !== 'restart') return asked;
  return madeSound(asked, topology, failure.lostPartitions, failedRegions(failure, topology.regions));
}

function invalid(problem: string): Extract<SoundDecision, { readonly kind: 'invalid' }> {
  return { kind: 'invalid', problem };
}

function isError(value: unknown): value is Error {
  return typeof value === 'object' && typeof propertyOf(value, 'message') === 'string';
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
