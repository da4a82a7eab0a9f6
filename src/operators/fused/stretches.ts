import type { OperatorDescription } from '../operator-description.ts';
import type { compileLoop } from './loops/compile-loop.ts';
import { KeyedState } from './keyed-state.ts';
import { type LoopOperator, type LoopOptions, tailOf } from './loops/loop.ts';
import { LoopSegment } from './loop-segment.ts';
import type { LoopEnds } from '../../partitions/loop-ends.ts';
import type { Segment } from './loops/segment.ts';

/** An operator that returns synchronously. */
export type SynchronousOperator = Exclude<OperatorDescription, { kind: 'asyncMap' | 'pipe' }>;

/** Operators that make one loop, or a `process`, which has a loop of its own. */
export type Stretch = readonly LoopOperator[] | Extract<OperatorDescription, { kind: 'process' }>;

/** Splits a run of operators. One with results at the end of the input ends its stretch. */
export function stretchesOf(operators: readonly SynchronousOperator[]): Stretch[] {
  const stretches: Stretch[] = [];
  let open: LoopOperator[] | undefined;
  for (const operator of operators) {
    if (operator.kind === 'process') {
      stretches.push(operator);
      open = undefined;
      continue;
    }
    if (open === undefined) stretches.push((open = []));
    open.push(operator);
    if (endsStretch(operator)) open = undefined;
  }
  // Without operators, a loop from one end to the other.
  return stretches.length === 0 ? [[]] : stretches;
}

/** The ends that the first stretch reaches: the tail if it is the only one, the head if the others get nothing meanwhile. */
export function reachableEnds(stretches: readonly Stretch[], ends: LoopEnds | undefined): LoopEnds | undefined {
  const [first] = stretches;
  if (ends === undefined || first === undefined || 'kind' in first) return undefined;
  const last = first.at(-1);
  if (stretches.length > 1) return last !== undefined && endsStretch(last) ? { head: ends.head } : undefined;
  return { head: ends.head, tail: tailOf(first, { ends }) };
}

/** A segment, and the positions of its operators in the task's chain. */
export interface PlacedSegment {
  readonly segment: Segment;
  readonly firstOperator: number;
  readonly lastOperator: number;
}

/** A segment for each stretch. @param options those of the first, which alone reaches the ends */
export function placedSegments(
  stretches: readonly Stretch[],
  compile: typeof compileLoop,
  options: LoopOptions,
): PlacedSegment[] {
  let { firstOperator: next = 0 } = options;
  return stretches.map((stretch, index) => {
    const own = { ...options, firstOperator: next, ends: index === 0 ? options.ends : undefined };
    const [segment, count] =
      'kind' in stretch ? [new KeyedState(stretch, own), 1] : [new LoopSegment(stretch, compile, own), stretch.length];
    const placed = { segment, firstOperator: next, lastOperator: next + count - 1 };
    next += count;
    return placed;
  });
}

/** When the earliest timer is due, in wall-clock ms. */
export function earliestTimer(segments: readonly PlacedSegment[]): number | undefined {
  const times = segments.flatMap(({ segment: { nextTimerMs } }) => nextTimerMs ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Whether an operator has results at the end of the input. */
function endsStretch(operator: LoopOperator): boolean {
  return operator.kind === 'aggregate' && operator.emit !== 'updates';
}
