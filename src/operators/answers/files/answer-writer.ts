import { type JournalLog, openLog } from '../../../journal/journal-log.ts';
import type { JournalStorage } from '../../../journal/journal-storage.ts';
import { RecordBuffer } from '../../../journal/record-buffer.ts';
import {
  addAnswer,
  addMarks,
  type AnswerOrigin,
  answerFormat,
  type CallMarks,
  encodeEnd,
  encodeOrigin,
  encodeOwnerRecord,
  type NewAnswer,
} from './answer-record.ts';

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
  /** Those of the write that is under way. */
  readonly #records = new RecordBuffer();
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

  /**
   * Appends answers, and marks of calls behind them, with one write: all or, if it throws, none.
   *
   * @param nowMs the time of new answers, in ms since 1970
   * @throws JournalAccessError
   */
  append(nowMs: number, answers: readonly NewAnswer[], marks: readonly CallMarks[] = []): WrittenAnswer[] {
    const records = this.#records;
    const known = this.#originNumbers.size;
    const first = this.#log.size;
    const places: WrittenAnswer[] = [];
    try {
      for (const answer of answers) {
        const number = this.#numberOf(answer.origin);
        const offset = first + records.length;
        places.push({ offset, length: addAnswer(records, number, answer, answer.atMs ?? nowMs) });
      }
      for (const mark of marks) addMarks(records, mark);
      this.#log.appendFrom(records);
      return places;
    } catch (error) {
      // Their records were not written.
      for (const [key, number] of this.#originNumbers) if (number >= known) this.#originNumbers.delete(key);
      this.#latest = undefined;
      throw error;
    } finally {
      records.clear();
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

  /** The number of an origin, whose record comes before that of its first answer. */
  #numberOf(origin: AnswerOrigin): number {
    if (origin === this.#latest?.origin) return this.#latest.number;
    const key = JSON.stringify([origin.operator, origin.version]);
    let number = this.#originNumbers.get(key);
    if (number === undefined) {
      number = this.#originNumbers.size;
      this.#originNumbers.set(key, number);
      this.#records.addCopy(encodeOrigin(number, origin));
    }
    this.#latest = { origin, number };
    return number;
  }
}
