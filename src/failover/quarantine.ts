import type { AttemptNumber, RegionId, RunId } from '../ids.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { checkInteger, checkOptions } from '../options.ts';
import type { FailureClass } from './failure-classifier.ts';
import { ownCauseWithCode } from './own-causes.ts';

/** When a flapping region is quarantined. */
export interface Quarantine {
  /** The failure that quarantines a region, counted within `withinMs`: the third of them for 3. At least 1. */
  readonly afterFailures: number;
  /** The sliding window, in ms, on the environment's clock. */
  readonly withinMs: number;
}

/** @throws InvalidArgumentError */
export function checkQuarantine(given: Quarantine | undefined): Quarantine | undefined {
  if (given === undefined) return undefined;
  checkOptions('quarantine', given, { afterFailures: true, withinMs: true });
  const { afterFailures, withinMs } = given;
  checkInteger('quarantine afterFailures', afterFailures, 1, 10_000);
  if (!(typeof withinMs === 'number' && withinMs > 0))
    throw new InvalidArgumentError('quarantine withinMs', withinMs, 'milliseconds above 0');
  return Object.freeze({ afterFailures, withinMs });
}

/**
 * What a failure, or a restart that the user asked for, means for the quarantine of its region:
 * - `flapping`: it is quarantined now, after this many failures;
 * - `quarantined`: it was quarantined before, and stays so;
 * - `requested`: the user restarts it, and so releases it if it is quarantined.
 */
export type QuarantineVerdict =
  | { readonly kind: 'none' }
  | { readonly kind: 'flapping'; readonly region: RegionId; readonly failures: number; readonly withinMs: number }
  | { readonly kind: 'quarantined'; readonly region: RegionId }
  | { readonly kind: 'requested'; readonly region: RegionId };

/** Whether a class of failures is the fault of the region in which it shows, and whether a restart may follow it. */
const blamesRegion: Readonly<Record<FailureClass['kind'], boolean>> = {
  recoverable: true,
  'determinism-broken': true,
  // Its storage or its producer's executor is to blame.
  'partition-lost': false,
  // It fails the job at once.
  unrecoverable: false,
};

/** Of its surroundings. A result of an earlier attempt may be lost, too: then the class does not say so. */
const blameless = ['PARTITION_LOST', 'EXECUTOR_LOST', 'ATTEMPT_VANISHED', 'NO_RESOURCE_AVAILABLE'] as const;

/** Whether a failure counts against its region: not if a result or an executor was lost, or if there were no slots. */
export function countsAgainstRegion(kind: FailureClass['kind'], cause: Error, run: RunId | undefined): boolean {
  return blamesRegion[kind] && ownCauseWithCode(cause, blameless, run) === undefined;
}

/** A failure of a task, or a requested restart, as the rule sees it. */
export interface RegionFailure {
  readonly region: RegionId;
  readonly attempt: AttemptNumber | undefined;
  readonly atMs: number;
  readonly isRequested: boolean;
  /** See {@link countsAgainstRegion}. */
  readonly counts: boolean;
}

/**
 * The failures of each region within the window, and the rule that quarantines it. One failure counts per attempt of a
 * region, so that failures merged into the same restart count once.
 */
export class FlappingRegions {
  readonly #limit: Quarantine | undefined;
  readonly #failures = new Map<RegionId, { lastAttempt: AttemptNumber | undefined; times: readonly number[] }>();

  /** @param limit undefined: no region is ever quarantined */
  constructor(limit: Quarantine | undefined) {
    this.#limit = limit;
  }

  /** Counts a failure, and judges its region. */
  judge(failure: RegionFailure, isQuarantined: boolean): QuarantineVerdict {
    const { region, isRequested, counts } = failure;
    if (isRequested) return { kind: 'requested', region };
    if (isQuarantined) return { kind: 'quarantined', region };
    if (this.#limit === undefined || !counts) return { kind: 'none' };
    const failures = this.#note(failure, this.#limit);
    const { afterFailures, withinMs } = this.#limit;
    return failures < afterFailures ? { kind: 'none' } : { kind: 'flapping', region, failures, withinMs };
  }

  /** A region was released: its earlier failures are forgotten. */
  forget(region: RegionId): void {
    this.#failures.delete(region);
  }

  /** Returns the number of failures within the window, this one included. */
  #note({ region, attempt, atMs }: RegionFailure, { afterFailures, withinMs }: Quarantine): number {
    const known = this.#failures.get(region);
    const recent = (known?.times ?? []).filter((time) => atMs - time <= withinMs);
    if (known !== undefined && known.lastAttempt === attempt) return recent.length;
    const times = [...recent, atMs].slice(-afterFailures);
    this.#failures.set(region, { lastAttempt: attempt, times });
    return times.length;
  }
}
