import type { RecordedFailover } from '../../recording/recording-line.ts';
import type { RunPicture } from '../../recording/run-picture.ts';
import { formatDuration } from '../shell/format.ts';
import { restartedCount } from './decision-text.ts';

/** A failure that led to a restart or to the end, with the failures merged into its restart. */
export interface RootFailure {
  readonly root: RecordedFailover;
  readonly merged: readonly RecordedFailover[];
}

/** The failures of a run, latest first, each with those merged into it. O(failures) */
export function rootFailures({ failovers }: RunPicture): RootFailure[] {
  const merged = new Map<number, RecordedFailover[]>();
  const roots: RecordedFailover[] = [];
  for (const one of failovers.all) {
    if (one.mergedInto === undefined || failovers.get(one.mergedInto) === undefined) roots.push(one);
    else merged.set(one.mergedInto, [...(merged.get(one.mergedInto) ?? []), one]);
  }
  return roots.reverse().map((root) => ({ root, merged: merged.get(root.failover) ?? [] }));
}

/** How a failure ended, in a few words. */
export function outcomeOf({ refused, decided, quarantined, receipt }: RecordedFailover): string {
  if (refused !== undefined) return 'ended the job';
  if (quarantined !== undefined) return 'its region is quarantined';
  if (receipt.recoveryMs !== undefined) return `mended in ${formatDuration(receipt.recoveryMs)}`;
  if (decided === undefined) return 'being decided';
  return restartedCount(decided) === 0 ? 'held up by quarantine' : 'mending';
}
