import type { LogBytes } from '../../../journal/journal-storage.ts';
import { type LogLoss, LogScan, scanLog } from '../../../journal/log-scan.ts';
import { isWholePayload, recordHeaderBytes } from '../../../journal/record-header.ts';
import { decodeOwner, isDead, type Owner } from '../../../partitions/claims/owner-note.ts';
import type { ProcessTable } from '../../../partitions/claims/process-table.ts';
import {
  type AnswerEntry,
  type AnswerHead,
  type AnswerOrigin,
  answerFormat,
  type CallMarks,
  readAnswerRecord,
  scanAnswerRecord,
} from './answer-record.ts';
import type { FoundAnswer } from './found-answer.ts';

/** A record of an answer, and where it lies. */
export interface ScannedAnswer {
  readonly head: AnswerHead;
  readonly offset: number;
  /** A view, valid until the next one is scanned. */
  readonly payload: Uint8Array;
}

/** Hears what a scan finds in a file, in order. */
export interface ScanListener {
  /** @param length that of the payload */
  answered(entry: AnswerEntry, offset: number, length: number): void;
  marked(marks: CallMarks): void;
  /** @param bytes what lies where records are damaged, or the beginning of it */
  damaged(bytes: Uint8Array): void;
}

/** Most damaged bytes that are looked at. */
const mostDamagedBytes = 1 << 20;

/** Bytes read at once where answers are asked for that lie near each other, and how many of them lie before what is asked for. */
const blockBytes = 1 << 16;
const bytesBefore = 1 << 13;

/** One file with answers, as its readers see it. Its writer may be appending to it. */
export class AnswerSegment {
  readonly name: string;
  readonly #file: LogBytes;
  readonly #lost: (loss: LogLoss) => void;
  /** Offset up to which it was scanned. */
  #scanned = 0;
  /** A scan that goes on later. */
  #scan: LogScan | undefined;
  #owner: Owner | undefined;
  #hasEnded = false;
  readonly #originByNumber = new Map<number, AnswerOrigin>();
  /** What was read last; used again for the next read. */
  #read: Buffer = Buffer.alloc(0);
  #readStart = 0;
  #readBytes = 0;

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
  originOf({ origin }: Pick<AnswerHead, 'origin'>): AnswerOrigin | undefined {
    return this.#originByNumber.get(origin);
  }

  /** Whether it certainly grows no more: its writer ended properly or is dead. */
  isFinished(processes: ProcessTable): boolean {
    return this.#hasEnded || (this.#owner !== undefined && isDead(this.#owner, processes));
  }

  /**
   * Scans up to `most` records that were not scanned yet. A torn end may be one that its writer is appending, so the next scan
   * begins there. Returns whether there are more.
   */
  scanNew(listener: ScanListener, most: number): boolean {
    if (this.#hasEnded || (this.#scan === undefined && this.size() === this.#scanned)) return false;
    const scan = this.#scan ?? new LogScan(this.#file, answerFormat, this.#scanned);
    this.#scan = undefined;
    for (let scanned = 0; scanned < most; scanned++) {
      const found = scan.next();
      if (found === undefined || (found !== 'record' && found.kind === 'torn')) return false;
      if (found === 'record') {
        this.#scanned = scan.end;
        this.#take(scan, listener);
      } else {
        this.#scanned = found.end;
        this.#lost(found);
        listener.damaged(this.#file.read(found.offset, Math.min(found.end - found.offset, mostDamagedBytes)));
      }
    }
    this.#scan = scan;
    return true;
  }

  #take({ bytes, start, stop, offset }: LogScan, listener: ScanListener): void {
    const record = scanAnswerRecord(bytes, start, stop);
    switch (record?.kind) {
      case 'answer':
        return listener.answered(record, offset, stop - start);
      case 'begun':
      case 'ended':
        return listener.marked(record);
      case 'origin':
        this.#originByNumber.set(record.number, record.origin);
        return;
      case 'owner':
        this.#owner = decodeOwner(record.note);
        return;
      case 'end':
        this.#hasEnded = true;
        return;
      case undefined:
      // No record that this version writes: it is of no use here.
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

  /** The payload of the record at an offset, of a known length; undefined if it is damaged. */
  find(offset: number, length: number): FoundAnswer | undefined {
    const at = this.#load(offset, recordHeaderBytes + length);
    if (at === undefined || !isWholePayload(this.#read, at, length)) return undefined;
    const start = at + recordHeaderBytes;
    return { bytes: this.#read, start, end: start + length };
  }

  close(): void {
    this.#file.close();
  }

  /**
   * Reads bytes, unless they are there. Answers are mostly asked for in about the order in which they were written, which is that
   * in which the calls ended; so the neighbours of one that lies near the one before are read with it. Returns where the bytes
   * begin in what was read; undefined if the file ends before they do.
   */
  #load(offset: number, length: number): number | undefined {
    const at = offset - this.#readStart;
    if (at >= 0 && at + length <= this.#readBytes) return at;
    const isNear = at > -blockBytes && at < this.#readBytes + blockBytes;
    const before = isNear ? Math.min(offset, bytesBefore) : 0;
    const wanted = isNear ? Math.max(before + length, blockBytes) : length;
    if (this.#read.length < wanted) this.#read = Buffer.allocUnsafeSlow(Math.max(wanted, blockBytes));
    this.#readBytes = 0;
    this.#readStart = offset - before;
    this.#readBytes = this.#file.readInto(this.#read, this.#readStart, wanted);
    return before + length <= this.#readBytes ? before : undefined;
  }
}
