import type { JobEvent } from '../../src/actors/job-event.ts';
import type { EventFold } from '../../src/run/folds/event-fold.ts';

/** The value of a fold after further events. */
export function folded<Value>(fold: EventFold<Value>, events: Iterable<JobEvent>): Value {
  for (const event of events) fold.next(event);
  return fold.value();
}
