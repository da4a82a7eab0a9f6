import { countOfIds } from '../../recording/id-ranges.ts';
import type { IdRange, RecordedDecision } from '../../recording/recording-line.ts';
import { counted, formatCount, formatDuration } from '../shell/format.ts';

/** The number of regions that a decision restarts: not those that are quarantined or held up. */
export function restartedCount({ regions, quarantined = [], heldUp = [] }: RecordedDecision): number {
  return countOfIds(regions) - countOfIds(quarantined) - countOfIds(heldUp);
}

/** `Restart 2 regions (3, 5) with 4 tasks after 100 ms. 4 restarts left.` */
export function decisionText(decided: RecordedDecision): string {
  const { restartsLeft, quarantined, heldUp } = decided;
  const parts = [
    restartText(decided),
    ...(quarantined === undefined ? [] : [`${regionsText(quarantined)} quarantined.`]),
    ...(heldUp === undefined ? [] : [`${regionsText(heldUp)} held up by quarantine.`]),
    ...(restartsLeft === undefined ? [] : [`${counted(restartsLeft, 'restart')} left.`]),
  ];
  return parts.join(' ');
}

function restartText(decided: RecordedDecision): string {
  const { regions, again, taskCount, delayMs, quarantined, heldUp } = decided;
  const restarted = restartedCount(decided);
  if (restarted === 0) return 'Nothing restarts.';
  const isAll = quarantined === undefined && heldUp === undefined;
  const which = isAll ? regionsText(regions) : counted(restarted, 'region');
  const when = delayMs > 0 ? `after ${formatDuration(delayMs)}` : 'at once';
  const same = again.length > 0 ? `; ${formatCount(countOfIds(again))} of them to reproduce the same results` : '';
  return `Restart ${which} with ${counted(taskCount, 'task')} ${when}${same}.`;
}

/** `6 regions (3, 5–9, …)` */
function regionsText(ranges: readonly IdRange[]): string {
  const shown = ranges.slice(0, 6).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  const ids = [...shown, ...(ranges.length > 6 ? ['…'] : [])].join(', ');
  return `${counted(countOfIds(ranges), 'region')} (${ids})`;
}
