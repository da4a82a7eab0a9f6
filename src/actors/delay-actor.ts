import { type EventObject, fromCallback } from 'xstate';
import { setDeadline } from '../deadline.ts';
import type { Clock } from '../environment.ts';

/** The end of a delay on a clock. */
export type DelayInput =
  /** At this time. */
  | { readonly clock: Clock; readonly untilMs: number }
  /** After this long. An answer that arrives in time is received before the delay expires: see {@link setDeadline}. */
  | { readonly clock: Clock; readonly withinMs: number };

/** Sent to the parent at the end of a delay. */
export interface DelayElapsedEvent {
  readonly type: 'delay.elapsed';
}

/**
 * A delay as an actor. XState's `after` keeps all timers of a system in one record that it scans whenever an actor
 * stops; a delay actor costs only its own start and stop.
 */
export const delayActor = fromCallback<EventObject, DelayInput>(({ input, sendBack }) => {
  const { clock } = input;
  const elapsed: DelayElapsedEvent = { type: 'delay.elapsed' };
  if ('withinMs' in input) return setDeadline(clock, input.withinMs, () => sendBack(elapsed));
  const timer = clock.setTimeout(() => sendBack(elapsed), Math.max(0, input.untilMs - clock.now()));
  return () => clock.clearTimeout(timer);
});
