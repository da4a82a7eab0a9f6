import type { OperatorDescription } from '../operator-description.ts';
import { type LoopOperator, tailOf } from './loop.ts';
import type { LoopEnds } from '../../partitions/loop-ends.ts';

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

/** Whether an operator has results at the end of the input. */
function endsStretch(operator: LoopOperator): boolean {
  return operator.kind === 'aggregate' && operator.emit !== 'updates';
}
