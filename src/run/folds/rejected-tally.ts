import type { JobEvent } from '../../actors/job-event.ts';
import type { RejectedRecords } from '../../actors/protocol/deployment.ts';

type Entries = readonly (readonly [task: number, rejected: readonly RejectedRecords[]])[];

/** A `RejectedTally` as plain data, by task. */
export interface RejectedEntries {
  /** What its latest attempt rejected, once that has ended. */
  readonly ended: Entries;
  /** The same of attempts that finished, whose output counts. */
  readonly finished: Entries;
}

/** The records that `onError` rejected in the attempts that finished, in this run or the one that it continues. */
export class RejectedTally {
  readonly #ended: Map<number, readonly RejectedRecords[]>;
  readonly #finished: Map<number, readonly RejectedRecords[]>;

  constructor({ ended, finished }: RejectedEntries = { ended: [], finished: [] }) {
    this.#ended = new Map(ended);
    this.#finished = new Map(finished);
  }

  next(event: Extract<JobEvent, { type: 'job.resumed' | 'task.ended' | 'task.stateChanged' }>): void {
    if (event.type === 'job.resumed') {
      for (const { vertex, by } of event.rejected ?? []) this.#finished.set(vertex, by);
      return;
    }
    const { vertex } = event;
    if (event.type === 'task.ended') {
      if (event.rejected !== undefined) this.#ended.set(vertex, event.rejected);
    } else if (event.state === 'finished') {
      const rejected = this.#ended.get(vertex);
      if (rejected !== undefined) this.#finished.set(vertex, rejected);
    } else if (event.state === 'deploying') {
      this.#ended.delete(vertex);
      this.#finished.delete(vertex);
    }
  }

  /** By operator, over its finished subtasks. */
  value(): readonly RejectedRecords[] {
    const byOperator = new Map<string, RejectedRecords>();
    for (const entry of [...this.#finished.values()].flat()) {
      const sum = byOperator.get(entry.operator);
      byOperator.set(entry.operator, {
        operator: entry.operator,
        skipped: entry.skipped + (sum?.skipped ?? 0),
        deadLetters: entry.deadLetters + (sum?.deadLetters ?? 0),
        replaced: entry.replaced + (sum?.replaced ?? 0),
      });
    }
    return [...byOperator.values()].filter(
      ({ skipped, deadLetters, replaced }) => skipped + deadLetters + replaced > 0,
    );
  }

  toPlain(): RejectedEntries {
    return { ended: [...this.#ended], finished: [...this.#finished] };
  }
}
