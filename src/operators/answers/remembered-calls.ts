import type { AnswerMemory, AwaitedCall, CallAsker, CallCounts, CallIdentity } from './answer-memory.ts';
import type { CallOutcome } from './files/call-outcome.ts';
import type { CallEntry, CallListener, Calls, CallUnderWay } from '../calls/call-entry.ts';

/** The calls of one subtask of an operator that remembers its answers. */
export class RememberedCalls implements Calls {
  readonly #memory: AnswerMemory;
  readonly #counts: Counts = { made: 0, reused: 0, again: 0 };
  readonly seek: Calls['seek'];

  constructor(memory: AnswerMemory) {
    this.#memory = memory;
    const { seek } = memory;
    this.seek = seek && ((entry, found) => seek(this.#identityOf(entry), () => found(entry)));
  }

  get counts(): CallCounts {
    return { ...this.#counts };
  }

  /** Identifies a record, and looks for its answer. */
  readonly prepare = (entry: CallEntry): void => {
    try {
      this.#memory.lookFor(this.#identityOf(entry));
    } catch {
      // The record is asked again in its turn, and fails then.
    }
  };

  /** The remembered outcome for a record; undefined if there is none. @throws what its key function throws */
  recall(entry: CallEntry): CallOutcome | undefined {
    const outcome = this.#memory.recall(this.#identityOf(entry));
    if (outcome !== undefined) this.#counts.reused++;
    return outcome;
  }

  /** Whether a call for it is in flight, so that it takes none of its own. */
  isInFlight(entry: CallEntry): boolean {
    return this.#memory.isInFlight(this.#identityOf(entry));
  }

  /** Makes the call for a record, or shares one. */
  call(entry: CallEntry, listener: CallListener): CallUnderWay {
    this.#identityOf(entry);
    return new RememberedCall(entry, this.#memory, listener, this.#counts);
  }

  /** The calls for a record have failed for good. */
  failed(entry: CallEntry, error: Error): void {
    this.#memory.rememberError(this.#identityOf(entry), error);
  }

  #identityOf(entry: CallEntry): CallIdentity {
    return (entry.identity ??= this.#memory.identify(entry.record));
  }
}

type Counts = { -readonly [Name in keyof CallCounts]: CallCounts[Name] };

/** A call for an entry whose identity is known. Others may wait for it too. */
class RememberedCall implements CallUnderWay, CallAsker {
  onSettled: (() => void) | undefined;
  readonly #entry: CallEntry;
  readonly #listener: CallListener;
  readonly #counts: Counts;
  readonly #awaited: AwaitedCall;
  #isMade = false;

  constructor(entry: CallEntry, memory: AnswerMemory, listener: CallListener, counts: Counts) {
    this.#entry = entry;
    this.#listener = listener;
    this.#counts = counts;
    this.#awaited = memory.ask(entry.identity as CallIdentity, entry.record, entry.retry, this);
  }

  begun(isAgain: boolean): void {
    this.#isMade = true;
    this.#counts.made++;
    if (isAgain) this.#counts.again++;
  }

  answered(): void {
    this.#listener.answered(this.#entry, this);
  }

  settled(outcome: CallOutcome): void {
    if (!this.#isMade && outcome.kind === 'answered') this.#counts.reused++;
    this.#listener.settled(this.#entry, this, outcome);
  }

  abandon(reason?: Error): void {
    this.onSettled?.();
    this.#awaited.leave(this, reason);
  }
}
