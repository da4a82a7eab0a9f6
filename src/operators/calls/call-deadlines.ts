import { DeadlineQueue } from '../../deadline.ts';
import type { Clock } from '../../environment.ts';
import { OperationTimeoutError } from '../../errors/user-code-errors.ts';
import type { CallUnderWay } from './call-entry.ts';

/** The time limit of the calls of one operator. */
export class CallDeadlines {
  readonly #operator: string;
  readonly #timeoutMs: number;
  readonly #queue: DeadlineQueue;

  constructor(operator: string, clock: Clock, timeoutMs: number) {
    this.#operator = operator;
    this.#timeoutMs = timeoutMs;
    this.#queue = new DeadlineQueue(clock, timeoutMs);
  }

  /** Abandons a call that is not settled in time, and tells. */
  limit(call: CallUnderWay, timedOut: (error: Error) => void): void {
    call.onSettled = this.#queue.add(() => {
      const error = new OperationTimeoutError(`A call of mapAsync in "${this.#operator}"`, this.#timeoutMs);
      timedOut(error);
      call.abandon(error);
    });
  }
}
