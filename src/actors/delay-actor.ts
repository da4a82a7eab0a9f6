import { type EventObject, fromCallback } from 'xstate';
import type { Clock } from '../environment.ts';

export interface DelayInput {
  readonly clock: Clock;
  /** The instant, on that clock, at which the delay is over. */
  readonly untilMs: number;
}

/** Sent to the parent when a delay is over. */
export interface DelayElapsedEvent {
  readonly type: 'delay.elapsed';
}

/**
 * A delay as an actor of its own. XState's `after` keeps the timers of a whole system in one record that every stop of
 * any actor scans; a delay that is an actor costs its own start and stop alone.
 */
export const delayActor = fromCallback<EventObject, DelayInput>(({ input, sendBack }) => {
  const elapsed: DelayElapsedEvent = { type: 'delay.elapsed' };
  const handle = input.clock.setTimeout(() => sendBack(elapsed), Math.max(0, input.untilMs - input.clock.now()));
  return () => input.clock.clearTimeout(handle);
});
