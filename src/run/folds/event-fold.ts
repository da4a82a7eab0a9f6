import type { JobEvent } from '../../actors/job-event.ts';

/**
 * A value computed from the events of a run and its immutable graph: the same events give the same value, live or from
 * a recording.
 */
export interface EventFold<Value> {
  /** Takes the next event in O(1), or O(items that the event names); never O(tasks of the job). */
  next(event: JobEvent): void;
  /** The value after the events so far. Later events do not change a returned value. */
  value(): Value;
}
