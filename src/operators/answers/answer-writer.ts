import { type JournalLog, openLog, recordBytes } from '../../journal/journal-log.ts';
import type { JournalStorage } from '../../journal/journal-storage.ts';
import type { CallIdentity } from './answer-memory.ts';
import type { PackedAnswer } from './packed-answer.ts';
import {
  type AnswerHead,
  type AnswerOrigin,
  answerFormat,
  type CallMarks,
  encodeAnswer,
  encodeEnd,
  encodeMarks,
  encodeOrigin,
  encodeOwnerRecord,
} from './answer-record.ts';

/** An answer to be written. */
export interface NewAnswer {
  readonly origin: AnswerOrigin;
  readonly identity: Pick<CallIdentity, 'hash' | 'key'>;
  readonly isError: boolean;
  readonly atMs: number;
  readonly packed: PackedAnswer;
}

/** Where an answer was written. */
export interface WrittenAnswer {
  readonly offset: number;
  /** Length of the payload. */
  readonly length: number;
}

/** Writes one file with answers; nobody else does. */
export class AnswerWriter {
  readonly name: string;
  readonly #log: JournalLog;
  readonly #originNumbers = new Map<string, number>();
  /** Most answers have the origin of the one before. */
  #latest: { readonly origin: AnswerOrigin; readonly number: number } | undefined;

  /** Creates the file, with the note of its owner. @throws JournalAccessError */
  constructor(storage: JournalStorage, name: string, ownerNote: Uint8Array) {
    this.name = name;
    this.#log = openLog(storage, name, answerFormat).log;
    this.#log.append(encodeOwnerRecord(ownerNote));
  }

  get size(): number {
    return this.#log.size;
  }

  /** Appends answers, and marks of calls behind them, with one write: all or, if it throws, none. @throws JournalAccessError */
  append(answers: readonly NewAnswer[], marks: readonly CallMarks[] = []): WrittenAnswer[] {
    const payloads: Uint8Array[] = [];
    const known = this.#originNumbers.size;
    const places: number[] = [];
    for (const { origin, identity, isError, atMs, packed } of answers) {
      const number = this.#numberOf(origin, payloads);
      places.push(payloads.length);
      payloads.push(encodeAnswer({ isError, origin: number, ...identity, atMs }, packed));
    }
    for (const mark of marks) if (mark.hashes.length > 0) payloads.push(encodeMarks(mark));
    try {
      return this.#written(this.#log.appendAll(payloads), payloads, places);
    } catch (error) {
      // Their records were not written.
      for (const [key, number] of this.#originNumbers) if (number >= known) this.#originNumbers.delete(key);
      this.#latest = undefined;
      throw error;
    }
  }

  sync(): Promise<void> {
    return this.#log.sync();
  }

  /** Says that nothing follows. @throws JournalAccessError */
  end(): void {
    this.#log.append(encodeEnd());
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #numberOf(origin: AnswerOrigin, payloads: Uint8Array[]): number {
    if (origin === this.#latest?.origin) return this.#latest.number;
    const key = JSON.stringify([origin.operator, origin.version]);
    let number = this.#originNumbers.get(key);
    if (number === undefined) {
      number = this.#originNumbers.size;
      this.#originNumbers.set(key, number);
      payloads.push(encodeOrigin(number, origin));
    }
    this.#latest = { origin, number };
    return number;
  }

  #written(first: number, payloads: readonly Uint8Array[], places: readonly number[]): WrittenAnswer[] {
    const written: WrittenAnswer[] = [];
    let offset = first;
    let at = 0;
    for (const place of places) {
      for (; at < place; at++) offset += recordBytes((payloads[at] as Uint8Array).length);
      written.push({ offset, length: (payloads[place] as Uint8Array).length });
    }
    return written;
  }
}

/** A call that is about to be made. */
export interface BeginningCall {
  readonly hash: Uint8Array;
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

/** A remembered answer, with its whole payload. */
export interface FoundAnswer {
  readonly head: AnswerHead;
  readonly payload: Uint8Array;
}

/** The answers in one directory, as the operators of a run use them. */
export interface Answers {
  /** When the run began to use it, in ms since 1970. */
  readonly openedMs: number;
  /** The answer of a call; undefined if it is not known. */
  find(hash: Uint8Array): FoundAnswer | undefined;
  /**
   * Where answers are known elsewhere: asks whether that of a call is; `found` is called later, and `find` answers then,
   * once. Absent: `find` knows.
   */
  readonly seek?: ((hash: Uint8Array, found: () => void) => void) | undefined;
  /** Remembers an answer at once. @throws JournalAccessError, such as on a full disk */
  remember(answer: NewAnswer): void;
  /** It hears later that it is written. */
  rememberSoon(answer: ArrivedAnswer): void;
  /** It begins later, once the operating system knows of it. After an error, as on a full disk, it must not be made. */
  begin(call: BeginningCall): void;
  /** A call has ended, and there is nothing to remember. */
  ended(hash: Uint8Array, error: Error): void;
  /** A call was aborted, and counts as in flight at that time. */
  abandoned(hash: Uint8Array): void;
  /** Whether a call was in flight when an earlier run of it ended or its process died; true once per call. */
  takeLost(hash: Uint8Array): boolean;
  /** Nothing follows. Settles when everything is safe. */
  close(): Promise<void>;
}
