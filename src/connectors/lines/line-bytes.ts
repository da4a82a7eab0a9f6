import { constants, isAscii, isUtf8 } from 'node:buffer';
import { MalformedInputError } from '../../errors/connector-errors.ts';

const quote = 0x22;

/** Removes a UTF-8 byte order mark. */
export function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** Decodes UTF-8 `bytes`; undefined if they are not UTF-8. ASCII, the common case, is copied without decoding. */
export function textOf(bytes: Buffer): string | undefined {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString() : undefined;
}

/** The place of the first byte that is not UTF-8. */
export interface Utf8Fault {
  /** Index of the first byte of the line. */
  readonly lineStart: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
}

/** Finds where `bytes` stop being UTF-8. `newline` is the byte that ends their lines. */
export function findUtf8Fault(bytes: Buffer, newline: number): Utf8Fault {
  let lineStart = 0;
  let column = 1;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(at, at + length))) break;
    at += length;
    column += length === 4 ? 2 : 1;
    if (byte === newline) {
      lineStart = at;
      column = 1;
    }
  }
  return { lineStart, column };
}

/** Finds where complete lines end, block by block. A newline between double quotes does not end a line. */
export class QuotedLineCutter {
  #isInQuotes = false;

  /** The length of the complete lines in the next `block`. */
  cut(block: Buffer, newline: number): number {
    let isInQuotes = this.#isInQuotes;
    let cut = 0;
    for (let at = 0; at < block.length; at++) {
      const byte = block[at];
      if (byte === quote) isInQuotes = !isInQuotes;
      else if (byte === newline && !isInQuotes) cut = at + 1;
    }
    this.#isInQuotes = isInQuotes;
    return cut;
  }
}

/** The bytes of a line whose end has not been read yet. */
export class OpenLine {
  readonly #path: string;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Copies the next bytes of the line. @throws MalformedInputError if the line is longer than a string can be */
  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(Buffer.from(bytes));
    this.#length += bytes.length;
    if (this.#length <= constants.MAX_STRING_LENGTH) return;
    throw new MalformedInputError({ file: this.#path }, `a line is longer than ${constants.MAX_STRING_LENGTH} bytes`);
  }

  /** Returns the line, completed by `rest`, and becomes empty. */
  end(rest: Buffer): Buffer {
    if (this.#length === 0) return rest;
    const whole = Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#length = 0;
    return whole;
  }
}
