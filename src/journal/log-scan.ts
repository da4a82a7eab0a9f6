import { JournalFormatError } from '../errors/journal-errors.ts';
import { crc32 } from './crc32.ts';
import type { LogBytes } from './journal-storage.ts';
import { type RecordFormat, readRecordHeader, recordBeginning, recordHeaderBytes } from './record-header.ts';

/** The format of a log: that of its records, and what a user can do with a log that this version cannot read. */
export interface LogFormat extends RecordFormat {
  /** The oldest version whose records can be read too; absent: `version`. */
  readonly oldestVersion?: number;
  /** A sentence without its full stop: `Use the version that wrote it, or delete it to start over`. */
  readonly remedy: string;
}

/** Bytes of a log that hold no record. */
export interface LogLoss {
  /**
   * `damaged`: whole records follow. `torn`: none follows, because the last append was not completed, or because it is
   * damaged.
   */
  readonly kind: 'damaged' | 'torn';
  readonly file: string;
  readonly offset: number;
  /** Offset after the lost bytes: of the next whole record, or the end of the file. */
  readonly end: number;
  readonly problem: string;
}

/** A whole record of a log. `payload` is a view of a buffer that holds its neighbours too. */
export interface LogRecord {
  readonly kind: 'record';
  readonly offset: number;
  readonly end: number;
  readonly payload: Uint8Array;
}

/** Bytes per read. */
const chunkBytes = 1 << 20;

/**
 * The records of a log and what is lost between them, in order, from the record at offset `from` to the end that the
 * file has now. Reads a chunk at a time, and changes nothing.
 *
 * A valid header tells where the next record begins, so a damaged payload costs one record. After a damaged header, the
 * scan continues at the next valid one.
 *
 * @throws JournalFormatError for a record of another kind or version, and for a file that is no log
 */
export function* scanLog(file: LogBytes, format: LogFormat, from = 0): Generator<LogRecord | LogLoss> {
  const scan = new LogScan(file, format, from);
  for (let found = scan.next(); found !== undefined; found = scan.next()) {
    if (found !== 'record') yield found;
    else
      yield { kind: 'record', offset: scan.offset, end: scan.end, payload: scan.bytes.subarray(scan.start, scan.stop) };
  }
}

/** What is wrong with a record, and where the next one begins, if that is known. */
interface Fault {
  readonly problem: string;
  readonly end: number | undefined;
}

/** {@link scanLog} a step at a time, for logs of very many records: it makes no object for a whole record. */
export class LogScan {
  readonly #bytes: ChunkedBytes;
  readonly #format: LogFormat;
  #at: number;
  #lost: { readonly offset: number; readonly problem: string } | undefined;
  /** A whole record behind lost bytes, which comes after them. */
  #isRead = false;
  #offset = 0;
  #end = 0;
  #start = 0;

  constructor(file: LogBytes, format: LogFormat, from = 0) {
    this.#bytes = new ChunkedBytes(file);
    this.#format = format;
    this.#at = from;
  }

  /** Of the record that was found last: its offset in the file, and that after it. */
  get offset(): number {
    return this.#offset;
  }

  get end(): number {
    return this.#end;
  }

  /** Where its payload lies, from `start` to `stop`, until the next step. */
  get bytes(): Uint8Array {
    return this.#bytes.chunk;
  }

  get start(): number {
    return this.#start;
  }

  get stop(): number {
    return this.#start + this.#end - this.#offset - recordHeaderBytes;
  }

  /** Finds the next record, or what is lost before it; undefined at the end. @throws JournalFormatError */
  next(): 'record' | LogLoss | undefined {
    if (this.#isRead) {
      this.#isRead = false;
      return 'record';
    }
    const bytes = this.#bytes;
    while (this.#at < bytes.size) {
      const fault = this.#read(this.#at);
      if (fault === undefined) {
        this.#at = this.#end;
        if (this.#lost === undefined) return 'record';
        this.#isRead = true;
        return this.#loss('damaged', this.#lost, this.#offset);
      }
      this.#lost ??= { offset: this.#at, problem: fault.problem };
      this.#at = fault.end ?? nextHeader(bytes, this.#at + 1, this.#format);
    }
    if (this.#lost === undefined) return undefined;
    if (this.#lost.offset === 0) assertIsLog(bytes, this.#format);
    return this.#loss('torn', this.#lost, bytes.size);
  }

  #loss(kind: LogLoss['kind'], lost: { readonly offset: number; readonly problem: string }, end: number): LogLoss {
    this.#lost = undefined;
    return { kind, file: this.#bytes.path, end, ...lost };
  }

  /** Reads the record at an offset. */
  #read(offset: number): Fault | undefined {
    const bytes = this.#bytes;
    const start = bytes.load(offset, recordHeaderBytes);
    const header = readRecordHeader(bytes.chunk, offset, start);
    if (header === undefined) {
      const isCut = bytes.size - offset < recordHeaderBytes;
      return {
        problem: isCut ? 'the header of a record is cut' : 'there is no whole header of a record',
        end: undefined,
      };
    }
    const { kind, version, payloadBytes, payloadChecksum } = header;
    const format = this.#format;
    const isReadable = version <= format.version && version >= (format.oldestVersion ?? format.version);
    if (kind !== format.kind || !isReadable) throw unexpected(bytes.path, nameOf(header), format);
    const end = offset + recordHeaderBytes + payloadBytes;
    if (end > bytes.size) {
      const written = bytes.size - offset - recordHeaderBytes;
      return { problem: `a record has ${written} of ${payloadBytes} bytes`, end: bytes.size };
    }
    const payload = bytes.load(offset + recordHeaderBytes, payloadBytes);
    if (crc32(bytes.chunk, 0, payload, payload + payloadBytes) !== payloadChecksum) {
      return { problem: 'the checksum of a record is wrong', end };
    }
    this.#offset = offset;
    this.#end = end;
    this.#start = payload;
    return undefined;
  }
}

/** Offset of the first valid header at or after `from`; the end of the file if there is none. */
function nextHeader(bytes: ChunkedBytes, from: number, { kind }: LogFormat): number {
  const beginning = recordBeginning(kind);
  for (let at = from; at + recordHeaderBytes <= bytes.size; ) {
    const chunk = bytes.read(at, Math.min(chunkBytes, bytes.size - at));
    const mostStart = chunk.length - recordHeaderBytes;
    for (let start = chunk.indexOf(beginning[0] as number); start !== -1 && start <= mostStart; ) {
      if (readRecordHeader(chunk, at + start, start)?.kind === kind) return at + start;
      start = chunk.indexOf(beginning[0] as number, start + 1);
    }
    at += mostStart + 1;
  }
  return bytes.size;
}

/**
 * A file without any record is a log whose first append was torn, unless most of its beginning looks different: it may
 * be a user's file, which must not be cut.
 */
function assertIsLog(bytes: ChunkedBytes, format: LogFormat): void {
  const expected = recordBeginning(format.kind);
  const found = bytes.read(0, Math.min(expected.length, bytes.size));
  const equal = found.filter((byte, index) => byte === expected[index]).length;
  if (equal * 2 >= found.length || found.every((byte) => byte === 0)) return;
  throw unexpected(bytes.path, 'something else', format);
}

function unexpected(file: string, found: string, format: LogFormat): JournalFormatError {
  return new JournalFormatError(file, found, nameOf(format), format.remedy);
}

function nameOf({ kind, version }: RecordFormat): string {
  return `a log of kind ${kind}, format ${version}`;
}

/** A file, read in chunks. Its size is that of the beginning of the scan. */
class ChunkedBytes {
  readonly path: string;
  readonly size: number;
  readonly #file: LogBytes;
  #chunk: Uint8Array = new Uint8Array();
  #start = 0;

  constructor(file: LogBytes) {
    this.#file = file;
    this.path = file.path;
    this.size = file.size();
  }

  /** The bytes that were read last. */
  get chunk(): Uint8Array {
    return this.#chunk;
  }

  /** Reads `length` bytes from `offset`, or fewer if the file ends, unless they are there. Returns where they begin in `chunk`. */
  load(offset: number, length: number): number {
    const end = Math.min(offset + length, this.size);
    if (offset < this.#start || end > this.#start + this.#chunk.length) {
      const wanted = Math.min(Math.max(length, chunkBytes), this.size - offset);
      this.#chunk = this.#file.read(offset, wanted);
      this.#start = offset;
    }
    return offset - this.#start;
  }

  /** `length` bytes from `offset`; fewer if the file ends. */
  read(offset: number, length: number): Uint8Array {
    const start = this.load(offset, length);
    return this.#chunk.subarray(start, start + length);
  }
}
