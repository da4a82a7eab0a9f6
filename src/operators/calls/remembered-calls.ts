import type { AnswerMemory, AwaitedCall, CallCounts, CallIdentity, CallOutcome } from '../answers/answer-memory.ts';
import type { CallEntry, CallListener, Calls, CallUnderWay } from './call-entry.ts';

/** The calls of one subtask of an operator that remembers its answers. */
export class RememberedCalls implements Calls {
  readonly #memory: AnswerMemory;
  #made = 0;
  #reused = 0;
  #again = 0;

  constructor(memory: AnswerMemory) {
    this.#memory = memory;
  }

  get counts(): CallCounts {
    return { made: this.#made, reused: this.#reused, again: this.#again };
  }

  /** The remembered outcome for a record; undefined if there is none. @throws what its key function throws */
  recall(entry: CallEntry): CallOutcome | undefined {
    const outcome = this.#memory.recall(this.#identityOf(entry));
    if (outcome !== undefined) this.#reused++;
    return outcome;
  }

  /** Whether a call for it is in flight, so that it takes none of its own. */
  isInFlight(entry: CallEntry): boolean {
    return this.#memory.isInFlight(this.#identityOf(entry));
  }

  /** Makes the call for a record, or shares one. */
  call(entry: CallEntry, listener: CallListener): CallUnderWay {
    const awaited = this.#memory.ask(this.#identityOf(entry), entry.record, entry.retry, {
      begun: (isAgain) => {
        this.#made++;
        if (isAgain) this.#again++;
      },
      settled: (outcome) => {
        if (awaited.isShared && outcome.kind === 'answered') this.#reused++;
        listener(entry, call, outcome);
      },
    });
    const call = new SharedAnswer(awaited);
    return call;
  }

  /** The calls for a record have failed for good. */
  failed(entry: CallEntry, error: Error): void {
    this.#memory.rememberError(this.#identityOf(entry), error);
  }

  #identityOf(entry: CallEntry): CallIdentity {
    return (entry.identity ??= this.#memory.identify(entry.record));
  }
}

/** A call that others may wait for too. */
class SharedAnswer implements CallUnderWay {
  onSettled: (() => void) | undefined;
  readonly #awaited: AwaitedCall;

  constructor(awaited: AwaitedCall) {
    this.#awaited = awaited;
  }

  abandon(reason?: Error): void {
    this.onSettled?.();
    this.#awaited.leave(reason);
  }
}
