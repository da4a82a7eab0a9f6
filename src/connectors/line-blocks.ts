import { constants, isUtf8 } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';
import { FileAccessError, MalformedInputError } from '../errors.ts';
import { type ByteRange, shareOf } from './byte-range.ts';
import { fileProblem } from './file-problem.ts';
import type { LineBlock, LineFeeder } from './line-feeder.ts';

const blockBytes = 256 * 1024;
const newline = 0x0a;
const quote = 0x22;

export interface LineBlocksOptions {
  /** A newline between double quotes does not end a line. Only for the whole file: subtask 0 of 1. */
  readonly newlinesInQuotes?: boolean;
}

/**
 * The lines of a text file that start in the byte range of one subtask, block by block. Every line of the file starts in
 * exactly one range, so the subtasks together read each line once, wherever the borders fall. A byte order mark is left
 * out.
 */
export class LineBlocks implements LineFeeder {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #size: number;
  readonly #range: ByteRange;
  readonly #newlinesInQuotes: boolean;
  readonly #buffer = Buffer.allocUnsafe(blockBytes);
  /** Where the next block is read. */
  #position: number;
  /** Bytes read and not handed out, which begin at `#offset`. */
  #carry: Buffer[] = [];
  #carryBytes = 0;
  #offset: number;
  /** The first line of the range is not found yet. */
  #isSeeking: boolean;
  #isInQuotes = false;
  #isDone: boolean;

  private constructor(path: string, handle: FileHandle, size: number, range: ByteRange, options: LineBlocksOptions) {
    this.path = path;
    this.#handle = handle;
    this.#size = size;
    this.#range = range;
    this.#newlinesInQuotes = options.newlinesInQuotes ?? false;
    this.#isSeeking = range.start > 0;
    this.#position = this.#isSeeking ? range.start - 1 : 0;
    this.#offset = this.#position;
    this.#isDone = range.start >= range.end;
  }

  /** @throws FileAccessError when there is no such file. */
  static async open(
    path: string,
    subtask: number,
    parallelism: number,
    options: LineBlocksOptions = {},
  ): Promise<LineBlocks> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const stat = await handle.stat();
      if (!stat.isFile()) throw new FileAccessError(path, 'cannot read: not a file', { recovery: 'never' });
      return new LineBlocks(path, handle, stat.size, shareOf(subtask, parallelism, stat.size), options);
    } catch (error) {
      await handle?.close();
      throw fileProblem(path, 'read', error);
    }
  }

  /**
   * The next complete lines, or null at the end of the range.
   *
   * @throws MalformedInputError at bytes that are not UTF-8.
   */
  async next(): Promise<LineBlock | null> {
    while (!this.#isDone) {
      const block = await this.#read();
      const isEnd = block.length === 0;
      let from = 0;
      if (this.#isSeeking && !isEnd) {
        from = block.indexOf(newline) + 1;
        this.#isSeeking = from === 0;
        if (this.#isSeeking) from = block.length;
        this.#offset = this.#position + from;
        if (this.#offset >= this.#range.end) this.#isDone = true;
        if (this.#isDone) return null;
      }
      const to = isEnd ? 0 : this.#cut(block, from);
      this.#position += block.length;
      this.#isDone ||= isEnd;
      const lines = to > from || isEnd ? this.#take(block.subarray(from, to)) : undefined;
      this.#keep(block.subarray(Math.max(from, to)));
      if (lines !== undefined && lines.length > 0) return this.#decode(lines);
    }
    return null;
  }

  /** Number of the line, from 1, in which the byte at `offset` lies. Reads the file up to there: for error messages. */
  async lineAt(offset: number): Promise<number> {
    const buffer = Buffer.allocUnsafe(blockBytes);
    let line = 1;
    for (let position = 0; position < offset; ) {
      const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(blockBytes, offset - position), position);
      if (bytesRead === 0) break;
      const block = buffer.subarray(0, bytesRead);
      for (let at = block.indexOf(newline); at >= 0; at = block.indexOf(newline, at + 1)) line++;
      position += bytesRead;
    }
    return line;
  }

  async close(): Promise<void> {
    this.#isDone = true;
    await this.#handle.close();
  }

  async #read(): Promise<Buffer> {
    try {
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, blockBytes, this.#position);
      if (bytesRead === 0 && this.#position < this.#size) {
        throw new FileAccessError(
          this.path,
          `is shorter than when it was opened (${this.#size} bytes). Do not change a file that a job reads`,
        );
      }
      return this.#buffer.subarray(0, bytesRead);
    } catch (error) {
      throw fileProblem(this.path, 'read', error);
    }
  }

  /** Where the complete lines in `block` end; `from` or less if there are none. Ends the range where it is over. */
  #cut(block: Buffer, from: number): number {
    if (this.#newlinesInQuotes) return this.#cutOutsideQuotes(block);
    const border = this.#range.end - 1 - this.#position;
    if (border < block.length) {
      const last = block.indexOf(newline, Math.max(from, border));
      if (last >= 0) {
        this.#isDone = true;
        return last + 1;
      }
    }
    return block.lastIndexOf(newline) + 1;
  }

  #cutOutsideQuotes(block: Buffer): number {
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

  #take(block: Buffer): Buffer {
    if (this.#carryBytes === 0) return block;
    const lines = Buffer.concat([...this.#carry, block]);
    this.#carry = [];
    this.#carryBytes = 0;
    return lines;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0 || this.#isDone) return;
    this.#carry.push(Buffer.from(rest));
    this.#carryBytes += rest.length;
    if (this.#carryBytes > constants.MAX_STRING_LENGTH) {
      throw new MalformedInputError(
        { file: this.path },
        `the line at byte ${this.#offset} is longer than ${constants.MAX_STRING_LENGTH} bytes`,
      );
    }
  }

  #decode(lines: Buffer): LineBlock | Promise<LineBlock> {
    let offset = this.#offset;
    this.#offset += lines.length;
    let text = lines;
    if (offset === 0 && lines[0] === 0xef && lines[1] === 0xbb && lines[2] === 0xbf) {
      text = lines.subarray(3);
      offset = 3;
    }
    if (!isUtf8(text)) return this.#notUtf8(text, offset);
    return { text: text.toString('utf8'), offset };
  }

  async #notUtf8(lines: Buffer, offset: number): Promise<never> {
    let lineStart = 0;
    let column = 1;
    for (let at = 0; at < lines.length; ) {
      const byte = lines[at] ?? 0;
      const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
      if (!isUtf8(lines.subarray(at, at + length))) break;
      at += length;
      column += length === 4 ? 2 : 1;
      if (byte === newline) {
        lineStart = at;
        column = 1;
      }
    }
    const line = await this.lineAt(offset + lineStart);
    throw new MalformedInputError({ file: this.path, line, column }, 'not valid UTF-8');
  }
}
