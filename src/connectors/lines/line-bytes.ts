import { constants, isAscii, isUtf8 } from 'node:buffer';
import { MalformedInputError } from '../../errors/connector-errors.ts';

const quote = 0x22;

/** Without the byte order mark of UTF-8, if there is one. */
export function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** The text of `bytes`, which are UTF-8; undefined if they are not. ASCII, which most is, is copied and not decoded. */
export function textOf(bytes: Buffer): string | undefined {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString() : undefined;
}

/** Where bytes that are not UTF-8 stop being it. */
export interface Utf8Fault {
  /** Index of the first byte of the line. */
  readonly lineStart: number;
  /** From 1, in characters of JavaScript. */
  readonly column: number;
}

/** Where `bytes`, in lines ended by the byte `newline`, stop being UTF-8. */
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

/** Finds where complete lines end, block by block, where a newline between double quotes ends none. */
export class QuotedLineCutter {
  #isInQuotes = false;

  /** How much of the next `block` is complete lines. */
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

/** The beginning of a line whose end did not come yet. */
export class OpenLine {
  readonly #path: string;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes a copy of what comes next of it. @throws MalformedInputError when it is longer than a string can be */
  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(Buffer.from(bytes));
    this.#length += bytes.length;
    if (this.#length <= constants.MAX_STRING_LENGTH) return;
    throw new MalformedInputError({ file: this.#path }, `a line is longer than ${constants.MAX_STRING_LENGTH} bytes`);
  }

  /** All of it and `rest`, which ends it; then it is empty. */
  end(rest: Buffer): Buffer {
    if (this.#length === 0) return rest;
    const whole = Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#length = 0;
    return whole;
  }
}
