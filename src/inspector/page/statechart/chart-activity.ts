import type { StateMove } from '../../recording/actors/actor-table.ts';
import type { ChartTransition, TraceLine } from '../../recording/recording-line.ts';

/** Whether a state, by its path, is active while these leaves are. The root has the path `''`. */
export function isActive(path: string, leaves: readonly string[]): boolean {
  return path === '' || leaves.some((leaf) => leaf === path || leaf.startsWith(`${path}.`));
}

/** How often a state was entered by actors of its chart. */
export function entriesOf(path: string, moves: readonly StateMove[]): number {
  return moves.reduce((sum, { from, to, count }) => {
    return isActive(path, to) && !(from.length > 0 && isActive(path, from)) ? sum + count : sum;
  }, 0);
}

/** How often a transition was taken, and how that is known. */
export interface TakenCount {
  readonly count: number;
  /** `traced`: by focused actors alone. `moves`: by all, since only this transition leads from here to there. */
  readonly by: 'traced' | 'moves';
}

/**
 * How often a transition of a state was taken; undefined if that cannot be told: values of states alone do not tell
 * which of two transitions to the same state was taken.
 */
export function takenCount(
  source: string,
  transition: ChartTransition,
  siblings: readonly ChartTransition[],
  moves: readonly StateMove[],
  traces: readonly TraceLine[],
): TakenCount | undefined {
  const [target, ...others] = transition.targets;
  const alike = siblings.filter(({ targets }) => targets[0] === target);
  if (target !== undefined && others.length === 0 && target !== source && alike.length === 1) {
    const count = moves.reduce((sum, move) => {
      const isTaken = move.from.length > 0 && isActive(source, move.from) && !isActive(target, move.from);
      return isTaken && isActive(target, move.to) ? sum + move.count : sum;
    }, 0);
    // None may also mean that the target is a step inside a state, which the moves of regions do not tell.
    if (count > 0 || traces.length === 0) return { count, by: 'moves' };
  }
  const traced = traces.reduce((sum, { taken }) => {
    const own = taken.filter(
      (one) => one.source === source && one.event === transition.event && one.guard === transition.guard,
    );
    return sum + own.length;
  }, 0);
  return traced > 0 ? { count: traced, by: 'traced' } : undefined;
}
