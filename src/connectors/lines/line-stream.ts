import { MalformedInputError } from '../../errors/connector-errors.ts';
import type { SourceReader } from '../../operators/source.ts';
import { findUtf8Fault, OpenLine, QuotedLineCutter, textOf, withoutMark } from './line-bytes.ts';
import type { LineEnd } from './line-end.ts';
import type { LineBlock, LineFeeder } from './line-feeder.ts';
import { StreamBytes } from '../streams/stream-bytes.ts';

export interface LineStreamOptions {
  /** A newline between double quotes does not end a line. */
  readonly newlinesInQuotes?: boolean;
  /** Detects the line end in the first bytes. Default LF. */
  readonly lineEndOf?: (firstBytes: Uint8Array) => LineEnd | undefined;
}

/** A longer first line is assumed to end in LF. */
const mostTellingBytes = 1024 * 1024;

/** The lines of a byte stream. A line is returned with the chunk that completes it. */
export class LineStream implements LineFeeder {
  readonly path: string;
  readonly #bytes: StreamBytes;
  readonly #options: LineStreamOptions;
  readonly #cutter = new QuotedLineCutter();
  readonly #open: OpenLine;
  #lineEnd: LineEnd | undefined;
  /** Bytes received before the line end was known. */
  #beginning: Buffer = Buffer.alloc(0);
  /** The last block returned, its offset in the stream, and the number of lines before it. */
  #block: Buffer = Buffer.alloc(0);
  #offset = 0;
  #lineCount = 0;
  #isDone = false;

  /** @param name the name of the stream, for messages */
  constructor(name: string, chunks: SourceReader<unknown>, options: LineStreamOptions = {}) {
    this.path = name;
    this.#bytes = new StreamBytes(name, chunks);
    this.#options = options;
    if (options.lineEndOf === undefined) this.#lineEnd = '\n';
    this.#open = new OpenLine(name);
  }

  get lineEnd(): LineEnd {
    return this.#lineEnd ?? '\n';
  }

  async next(): Promise<LineBlock | null> {
    while (!this.#isDone) {
      const read = await this.#bytes.read();
      this.#isDone = read.length === 0;
      const bytes = this.#lineEnd === undefined ? this.#withLineEnd(read) : read;
      if (bytes === undefined) continue;
      const cut = this.#isDone ? bytes.length : this.#cut(bytes);
      if (cut > 0 || this.#isDone) {
        const block = this.#decode(this.#open.end(bytes.subarray(0, cut)));
        this.#open.push(bytes.subarray(cut));
        if (block.text !== '') return block;
      } else {
        this.#open.push(bytes);
      }
    }
    return null;
  }

  lineAt(offset: number): Promise<number> {
    return Promise.resolve(1 + this.#lineCount + this.#countLines(this.#block.subarray(0, offset - this.#offset)));
  }

  async close(): Promise<void> {
    this.#isDone = true;
    await this.#bytes.close();
  }

  /** The bytes so far, once they determine the line end; undefined until then. */
  #withLineEnd(read: Buffer): Buffer | undefined {
    this.#beginning = Buffer.concat([this.#beginning, read]);
    const isEnough = this.#isDone || this.#beginning.length > mostTellingBytes;
    this.#lineEnd = this.#options.lineEndOf?.(this.#beginning) ?? (isEnough ? '\n' : undefined);
    return this.#lineEnd === undefined ? undefined : this.#beginning;
  }

  #cut(bytes: Buffer): number {
    const newline = this.lineEnd.charCodeAt(0);
    if (this.#options.newlinesInQuotes === true) return this.#cutter.cut(bytes, newline);
    return bytes.lastIndexOf(newline) + 1;
  }

  #decode(lines: Buffer): LineBlock {
    this.#lineCount += this.#countLines(this.#block);
    this.#offset += this.#block.length;
    this.#block = lines;
    const bytes = this.#offset === 0 ? withoutMark(lines) : lines;
    const text = textOf(bytes);
    if (text !== undefined) return { text, bytes, offset: this.#offset + lines.length - bytes.length };
    const { lineStart, column } = findUtf8Fault(bytes, this.lineEnd.charCodeAt(0));
    const line = 1 + this.#lineCount + this.#countLines(bytes.subarray(0, lineStart));
    throw new MalformedInputError({ file: this.path, line, column }, 'not valid UTF-8');
  }

  #countLines(bytes: Buffer): number {
    const newline = this.lineEnd.charCodeAt(0);
    let count = 0;
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count++;
    return count;
  }
}
