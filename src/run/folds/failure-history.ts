import type { JobEvent } from '../../actors/job-event.ts';
import { ExceptionHistory, type RootExceptionEntry } from '../../failover/exception-history.ts';
import type { FailoverId } from '../../ids.ts';
import type { EventFold } from './event-fold.ts';

/** The latest failures of a run. A failure is added once it is known whether it was merged into an earlier restart. */
export class FailureHistory implements EventFold<readonly RootExceptionEntry[]> {
  readonly #history: ExceptionHistory;
  readonly #undecided = new Map<FailoverId, Extract<JobEvent, { type: 'task.failed' }>>();

  /** @param size maximum number of failures, not counting merged ones; at least 1 */
  constructor(size: number) {
    this.#history = new ExceptionHistory(size);
  }

  next(event: JobEvent): void {
    if (event.type === 'task.failed') this.#undecided.set(event.failover, event);
    else if (event.type === 'failover.decided' || event.type === 'failover.refused') {
      this.#decided(event.failover, event.newAttempt);
    }
  }

  value(): readonly RootExceptionEntry[] {
    return this.#history.entries();
  }

  #decided(failover: FailoverId, isRoot: boolean): void {
    const failure = this.#undecided.get(failover);
    if (failure === undefined) return;
    this.#undecided.delete(failover);
    const { atMs, task, place, cause, lostPartitions, labels } = failure;
    const blamed = lostPartitions !== undefined && { lostPartitions };
    this.#history.add({ atMs, task, place, cause, ...blamed, labels }, isRoot);
  }
}
