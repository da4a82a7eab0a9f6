import { and, type EventObject } from 'xstate';
import {
  type ChartGuard,
  type ChartSnapshot,
  type ChartTransition,
  type GuardFunction,
  implementationsOf,
} from './chart-shapes.ts';

/** A guard of XState's own, such as `and`, `not` and `stateIn`. */
interface BuiltinGuard {
  readonly check: (
    snapshot: ChartSnapshot,
    args: { readonly context: unknown; readonly event: EventObject },
    guard: { readonly guards: readonly ChartGuard[] },
  ) => boolean;
}

// XState does not export its evaluation of a guard; `and` of one guard is that.
const { check: evaluate } = and([]) as unknown as BuiltinGuard;

/** Whether the guard of a transition passes that is taken by no event. */
export function passes(guard: ChartGuard, snapshot: ChartSnapshot, event: EventObject): unknown {
  const args = { context: snapshot.context, event };
  const isInline = typeof guard === 'function';
  const found = isInline
    ? guard
    : implementationsOf(snapshot.machine).guards[typeof guard === 'string' ? guard : guard.type];
  if (typeof found !== 'function' || 'check' in found) {
    return evaluate(snapshot, args, { guards: [guard] });
  }
  const given = isInline || typeof guard === 'string' ? undefined : guard.params;
  const params = typeof given === 'function' ? (given as GuardFunction)(args, undefined) : given;
  return found(args, params);
}

/** Whether an event may take a transition. */
export function admits({ guard, source }: ChartTransition, snapshot: ChartSnapshot, event: EventObject): boolean {
  if (!guard) return true;
  try {
    return !!passes(guard, snapshot, event);
  } catch (thrown) {
    const type = typeof guard === 'string' ? guard : typeof guard === 'object' ? guard.type : undefined;
    const name = type ? `'${type}' ` : '';
    const { message } = thrown as Error;
    throw new Error(
      `Unable to evaluate guard ${name}in transition for event '${event.type}' in state node '${source.id}':\n${message}`,
    );
  }
}
