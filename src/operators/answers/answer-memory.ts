import type { CallHash } from './files/call-hash.ts';
import type { CallOutcome } from './files/call-outcome.ts';

/** Names one call of an operator: the operator, its version, and the key of the record. */
export interface CallIdentity extends CallHash {
  /** The key that the user's function gave; undefined if the key is the record itself. */
  readonly key: string | undefined;
  /** How many changes the memory had seen when there was no answer; −1 if it was not looked for, or there was one. */
  unknownAt: number;
}

/** Who asks for the answer to a call. Told never on the asker's own stack. */
export interface CallAsker {
  /**
   * The call is made now, for this asker.
   *
   * @param isAgain whether it was in flight when the process of an earlier run died, and is paid twice
   */
  begun(isAgain: boolean): void;
  /** The call has been answered, so another one may take its place. `settled` follows once the answer is written. */
  answered(): void;
  /** The answer is with the operating system. */
  settled(outcome: CallOutcome): void;
}

/** A call that somebody waits for. */
export interface AwaitedCall {
  /** This asker waits no more. With a reason, the call itself is aborted, for all who wait for it. */
  leave(asker: CallAsker, reason?: Error): void;
}

/**
 * What one operator of a run remembers: the answers of its calls, for all of its subtasks and attempts, and for later
 * runs. A call belongs to this memory and not to the task that asked first: if that task ends, the call may still be
 * answered, and the answer is remembered.
 */
export interface AnswerMemory {
  /** @throws AnswerNotRememberedError for a record without a key */
  identify(record: unknown): CallIdentity;
  /**
   * Where that is known elsewhere: has the outcome of a call looked up, and calls `found` later; `recall` answers then,
   * once. Absent: `recall` knows.
   */
  readonly seek?: ((identity: CallIdentity, found: () => void) => void) | undefined;
  /** Looks for the answer of a call, so that {@link recall} need not look again while none has been added. */
  lookFor(identity: CallIdentity): void;
  /** The remembered outcome, on the caller's stack; undefined if there is none. */
  recall(identity: CallIdentity): CallOutcome | undefined;
  /** Whether such a call is in flight, which a new asker shares. */
  isInFlight(identity: CallIdentity): boolean;
  /**
   * Makes a call, or shares the one in flight.
   *
   * @param retry number of earlier tries that failed
   */
  ask(identity: CallIdentity, record: unknown, retry: number, asker: CallAsker): AwaitedCall;
  /** Remembers the error that a call finally failed with, if the user asked for that. */
  rememberError(identity: CallIdentity, error: Error): void;
}

/** Calls of operators that remember their answers. */
export interface CallCounts {
  /** Calls made. */
  readonly made: number;
  /** Answers that took no call: remembered ones, and those of a call that was in flight. */
  readonly reused: number;
  /** Of the calls made: those that were in flight when an earlier run ended or its process died, so that they are paid twice. */
  readonly again: number;
}

/** The memories of a run. */
export interface AnswerMemories {
  /** The memory of operator `uid`; undefined if it does not remember. */
  memoryOf(uid: string): AnswerMemory | undefined;
}
