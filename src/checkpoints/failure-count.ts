import type { CheckpointId } from '../ids.ts';
import { type CheckpointFailureReason, isCounted } from './failure-reason.ts';

/** The failures of a component's checkpoints since the last success. */
export interface FailureCount {
  readonly count: number;
  /** The checkpoints that were counted. */
  readonly counted: ReadonlySet<CheckpointId>;
  /** The newest checkpoint that completed. */
  readonly lastSuccess: CheckpointId | undefined;
}

/** A checkpoint that failed, or a request for one. */
export interface CheckpointFailure {
  readonly reason: CheckpointFailureReason;
  /** Undefined if it got no number. */
  readonly checkpoint: CheckpointId | undefined;
  readonly kind: 'checkpoint' | 'savepoint';
}

export const noFailures: FailureCount = { count: 0, counted: new Set(), lastSuccess: undefined };

/**
 * Counts a failure. More than `tolerable` in a row are too many; the count then begins anew.
 *
 * - TF1 Only failures count that say that checkpoints do not work, see {@link isCounted}.
 * - TF2 A checkpoint counts once.
 * - TF3 A checkpoint that is not newer than the last success does not count.
 * - TF4 A savepoint does not count: whoever asked for it is told.
 * - TF5 A success begins the count anew.
 *
 * (Flink: `CheckpointFailureManager`.)
 *
 * @param tolerable how many may fail in a row; Infinity for any number
 */
export function countFailure(
  before: FailureCount,
  { reason, checkpoint, kind }: CheckpointFailure,
  tolerable: number,
): { readonly failures: FailureCount; readonly areTooMany: boolean } {
  const isOld = checkpoint !== undefined && checkpoint <= (before.lastSuccess ?? -1);
  const wasCounted = checkpoint !== undefined && before.counted.has(checkpoint);
  if (!isCounted(reason) || kind === 'savepoint' || isOld || wasCounted) return { failures: before, areTooMany: false };
  const count = before.count + 1;
  if (count > tolerable) return { failures: { ...noFailures, lastSuccess: before.lastSuccess }, areTooMany: true };
  const counted = checkpoint === undefined ? before.counted : new Set([...before.counted, checkpoint]);
  return { failures: { ...before, count, counted }, areTooMany: false };
}

/** TF5. */
export function countSuccess(
  { lastSuccess = -1 as CheckpointId }: FailureCount,
  checkpoint: CheckpointId,
): FailureCount {
  return { ...noFailures, lastSuccess: Math.max(checkpoint, lastSuccess) as CheckpointId };
}
