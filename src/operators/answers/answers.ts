import type { NewAnswer } from './files/answer-record.ts';
import type { CallHash } from './files/call-hash.ts';
import type { FoundAnswer } from './files/found-answer.ts';

/** A call that is about to be made. */
export interface BeginningCall {
  readonly identity: CallHash;
  /** Makes it; with an error, it must not be made. */
  begin(error?: Error): void;
  /** Another thread has made it meanwhile. Returns false if that answer is not to be used, so that it is made. */
  answeredElsewhere(found: FoundAnswer): boolean;
}

/** An answer that is not written yet, and who hears when it is. */
export interface ArrivedAnswer {
  readonly answer: NewAnswer;
  /** The operating system has it. With an error, it could not be written. */
  written(error: Error | undefined): void;
}

/** The answers in one directory, as the operators of a run use them. */
export interface Answers {
  /** When the run began to use it, in ms since 1970. */
  readonly openedMs: number;
  /** The answer of a call; undefined if it is not known. */
  find(hash: CallHash): FoundAnswer | undefined;
  /**
   * Where answers are known elsewhere: asks whether that of a call is; `found` is called later, and `find` answers then,
   * once. Absent: `find` knows.
   */
  readonly seek?: ((hash: CallHash, found: () => void) => void) | undefined;
  /** Whether `find` may find something. Absent: only `find` knows. */
  mayKnow?(hash: CallHash): boolean;
  /** Grows whenever an answer is added or replaced; until then, what `mayKnow` has denied is unknown. */
  readonly changes?: number | undefined;
  /** Remembers an answer at once. @throws JournalAccessError, such as on a full disk */
  remember(answer: NewAnswer): void;
  /**
   * It hears later that it is written.
   * @param isLast whether its operator has no other call in flight, so that waiting for more answers is in vain
   */
  rememberSoon(answer: ArrivedAnswer, isLast?: boolean): void;
  /** It begins later, once the operating system knows of it. After an error, as on a full disk, it must not be made. */
  begin(call: BeginningCall): void;
  /** A call has ended, and there is nothing to remember. */
  ended(hash: CallHash, error: Error): void;
  /** A call was aborted, and counts as in flight at that time. */
  abandoned(hash: CallHash): void;
  /** Whether a call was in flight when an earlier run of it ended or its process died; true once per call. */
  takeLost(hash: CallHash): boolean;
  /** Nothing follows. Settles when everything is safe. */
  close(): Promise<void>;
}
