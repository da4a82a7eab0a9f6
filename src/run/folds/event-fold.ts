import type { JobEvent } from '../../actors/job-event.ts';

/**
 * What is known of a run from its events alone, beside its graph, which does not change: the same events give the same
 * value, whether they come from a run as it goes on or from a recording of it.
 */
export interface EventFold<Value> {
  /** Takes the next event. O(1), or O(what the event names): never O(tasks of the job). */
  next(event: JobEvent): void;
  /** What is known after the events so far. Later events do not change what was returned. */
  value(): Value;
}

/** The value of a fold after some more events. */
export function folded<Value>(fold: EventFold<Value>, events: Iterable<JobEvent>): Value {
  for (const event of events) fold.next(event);
  return fold.value();
}
