import { type JournalLog, openLog, recordBytes } from '../../journal/journal-log.ts';
import type { JournalStorage } from '../../journal/journal-storage.ts';
import type { CallIdentity } from './answer-memory.ts';
import {
  type AnswerOrigin,
  type PackedAnswer,
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
