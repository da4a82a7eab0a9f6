import { DeadlineQueue } from '../../deadline.ts';
import type { Clock } from '../../environment.ts';
import { OperationTimeoutError } from '../../errors/user-code-errors.ts';
import type { CallEntry, CallListener, CallUnderWay } from './call-entry.ts';

/** The time limit of the calls of one operator, and of the answers of its `onError`. */
export class CallDeadlines {
  readonly #operator: string;
  readonly #timeoutMs: number;
  readonly #queue: DeadlineQueue | undefined;

  /** @param timeoutMs undefined: there is no limit */
  constructor(operator: string, clock: Clock, timeoutMs: number | undefined) {
    this.#operator = operator;
    this.#timeoutMs = timeoutMs ?? 0;
    this.#queue = timeoutMs === undefined ? undefined : new DeadlineQueue(clock, timeoutMs);
  }

  /** Abandons a call that is not settled in time, and tells. */
  limit(entry: CallEntry, call: CallUnderWay, listener: CallListener): void {
    call.onSettled = this.#queue?.add(() => {
      const error = new OperationTimeoutError(`A call of mapAsync in "${this.#operator}"`, this.#timeoutMs);
      listener.settled(entry, call, { kind: 'failed', error });
      call.abandon(error);
    });
  }

  /** Tells if `onError` has not answered for a record in time. Returns what ends the wait; undefined without a limit. */
  limitReply(timedOut: (error: Error) => void): (() => void) | undefined {
    return this.#queue?.add(() =>
      timedOut(new OperationTimeoutError(`onError of "${this.#operator}"`, this.#timeoutMs)),
    );
  }
}
