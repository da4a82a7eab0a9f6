import type { JobEvent } from './job-event.ts';

/** Events whose errors are something else: in a recording they are plain. */
export type EventWith<Cause> = WithCause<JobEvent, Cause>;

type WithCause<Event, Cause> = Event extends unknown
  ? { readonly [Key in keyof Event]: Event[Key] extends Error | undefined ? Cause : Event[Key] }
  : never;
