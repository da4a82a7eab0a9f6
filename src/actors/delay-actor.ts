import { type EventObject, fromCallback } from 'xstate';
import { setDeadline } from '../deadline.ts';
import type { Clock } from '../environment.ts';

/** When a delay is over, on a clock. */
export type DelayInput =
  /** At this instant. */
  | { readonly clock: Clock; readonly untilMs: number }
  /** What is waited for has this long, and is heard before the delay counts as over: see {@link setDeadline}. */
  | { readonly clock: Clock; readonly withinMs: number };

/** Sent to the parent when a delay is over. */
export interface DelayElapsedEvent {
  readonly type: 'delay.elapsed';
}

/**
 * A delay as an actor of its own. XState's `after` keeps the timers of a whole system in one record that every stop of
 * any actor scans; a delay that is an actor costs its own start and stop alone.
 */
export const delayActor = fromCallback<EventObject, DelayInput>(({ input, sendBack }) => {
  const { clock } = input;
  const elapsed: DelayElapsedEvent = { type: 'delay.elapsed' };
  if ('withinMs' in input) return setDeadline(clock, input.withinMs, () => sendBack(elapsed));
  const timer = clock.setTimeout(() => sendBack(elapsed), Math.max(0, input.untilMs - clock.now()));
  return () => clock.clearTimeout(timer);
});
