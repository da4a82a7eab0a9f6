import type { LogBytes } from '../../../journal/journal-storage.ts';
import { type LogLoss, scanLog } from '../../../journal/log-scan.ts';
import { isWholeRecord, recordHeaderBytes } from '../../../journal/record-header.ts';
import { decodeOwner, isDead, type Owner } from '../../../partitions/claims/owner-note.ts';
import type { ProcessTable } from '../../../partitions/claims/process-table.ts';
import { type AnswerHead, type AnswerOrigin, answerFormat, type CallMarks, readAnswerRecord } from './answer-record.ts';

/** A record of an answer, and where it lies. */
export interface ScannedAnswer {
  readonly head: AnswerHead;
  readonly offset: number;
  /** A view, valid until the next one is scanned. */
  readonly payload: Uint8Array;
}

/** What a scan finds in a file, in order. An answer comes without its payload, of which only the length is known. */
export type ScannedItem =
  | { readonly kind: 'answer'; readonly head: AnswerHead; readonly offset: number; readonly length: number }
  | CallMarks;

/** Bytes read at once where one answer after the other is read. */
const readAheadBytes = 1 << 16;

/** One file with answers, as its readers see it. Its writer may be appending to it. */
export class AnswerSegment {
  readonly name: string;
  readonly #file: LogBytes;
  readonly #lost: (loss: LogLoss) => void;
  /** Offset up to which it was scanned. */
  #scanned = 0;
  #owner: Owner | undefined;
  #hasEnded = false;
  readonly #originByNumber = new Map<number, AnswerOrigin>();
  #ahead: Buffer = Buffer.alloc(0);
  #aheadStart = 0;

  /** @param lost hears of damaged records, once */
  constructor(name: string, file: LogBytes, lost: (loss: LogLoss) => void) {
    this.name = name;
    this.#file = file;
    this.#lost = lost;
  }

  /** Who writes it; undefined before it was scanned. */
  get owner(): Owner | undefined {
    return this.#owner;
  }

  /** Its length in bytes now. */
  size(): number {
    return this.#file.size();
  }

  /** Bytes that were scanned, and those that were not yet. */
  get progress(): { readonly scanned: number; readonly left: number } {
    return { scanned: this.#scanned, left: this.size() - this.#scanned };
  }

  /** Operator and version of an answer in it; undefined if their record is damaged. */
  originOf({ origin }: AnswerHead): AnswerOrigin | undefined {
    return this.#originByNumber.get(origin);
  }

  /** Whether it certainly grows no more: its writer ended properly or is dead. */
  isFinished(processes: ProcessTable): boolean {
    return this.#hasEnded || (this.#owner !== undefined && isDead(this.#owner, processes));
  }

  /**
   * The answers and marks that were not scanned yet, in order. A torn end may be one that its writer is appending, so the next
   * scan begins there.
   */
  *scanNew(): Generator<ScannedItem> {
    if (this.#hasEnded || this.size() === this.#scanned) return;
    for (const item of scanLog(this.#file, answerFormat, this.#scanned)) {
      if (item.kind === 'torn') return;
      this.#scanned = item.end;
      if (item.kind !== 'record') {
        this.#lost(item);
        continue;
      }
      const record = readAnswerRecord(item.payload);
      if (record?.kind === 'answer') {
        yield { kind: 'answer', head: record.head, offset: item.offset, length: item.payload.length };
      } else if (record?.kind === 'begun' || record?.kind === 'ended') yield record;
      else if (record?.kind === 'origin') this.#originByNumber.set(record.number, record.origin);
      else if (record?.kind === 'owner') this.#owner = decodeOwner(record.note);
      else if (record?.kind === 'end') this.#hasEnded = true;
    }
  }

  /** Its writer, of this process, appends no more. */
  end(): void {
    this.#hasEnded = true;
  }

  /** All answers of it, in order. */
  *answers(): Generator<ScannedAnswer> {
    for (const item of scanLog(this.#file, answerFormat)) {
      const record = item.kind === 'record' ? readAnswerRecord(item.payload) : undefined;
      if (item.kind !== 'record' || record?.kind !== 'answer') continue;
      yield { head: record.head, offset: item.offset, payload: item.payload };
    }
  }

  /** The payload at an offset, of a known length; undefined if it is damaged. */
  read(offset: number, length: number): Uint8Array | undefined {
    const start = this.#load(offset, recordHeaderBytes + length);
    if (!isWholeRecord(this.#ahead, offset, start, length)) return undefined;
    return this.#ahead.subarray(start + recordHeaderBytes, start + recordHeaderBytes + length);
  }

  close(): void {
    this.#file.close();
  }

  /**
   * Reads bytes, unless they are there; fewer if the file ends. Answers are mostly asked for in the order in which they were
   * written, so the next ones are read with the last. Returns where the bytes begin in what is there.
   */
  #load(offset: number, length: number): number {
    const at = offset - this.#aheadStart;
    if (at >= 0 && at + length <= this.#ahead.length) return at;
    const isNext = at >= 0 && at <= this.#ahead.length + length;
    const {
      buffer,
      byteOffset,
      length: read,
    } = this.#file.read(offset, isNext ? Math.max(length, readAheadBytes) : length);
    this.#ahead = Buffer.from(buffer, byteOffset, read);
    this.#aheadStart = offset;
    return 0;
  }
}
