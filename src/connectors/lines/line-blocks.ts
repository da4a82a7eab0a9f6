import type { Environment } from '../../environment.ts';
import { MalformedInputError } from '../../errors/connector-errors.ts';
import { assertText } from '../inputs/content-format.ts';
import type { PlannedSplit } from '../inputs/files-plan.ts';
import { OpenFile } from '../inputs/fixed-file.ts';
import { UnpackedBytes } from '../inputs/unpacked-bytes.ts';
import { findUtf8Fault, OpenLine, QuotedLineCutter, textOf, withoutMark } from './line-bytes.ts';
import type { LineEnd } from './line-end.ts';
import type { LineBlock, LineFeeder } from './line-feeder.ts';

const blockBytes = 256 * 1024;

/** The last line that was numbered, so that the next is numbered from there. */
export interface NumberedLine {
  path: string;
  offset: number;
  line: number;
}

/** No line is numbered yet. */
export function noLine(): NumberedLine {
  return { path: '', offset: 0, line: 1 };
}

export interface LineBlocksOptions {
  /** Registers decompression as work under way. */
  readonly environment: Pick<Environment, 'hold'>;
  /** A newline between double quotes does not end a line. Only for whole files. */
  readonly newlinesInQuotes?: boolean;
  /** Many lines will be numbered, in ascending order: remembers where the last one is. */
  readonly numbered?: NumberedLine;
  /** The line end, or a function that detects it in the first bytes, for a split at the start of a file. Default LF. */
  readonly lineEnd?: LineEnd | ((firstBytes: Uint8Array) => LineEnd | undefined);
}

/** Bytes of a file, in order. */
interface InputBytes {
  /** The next bytes, valid until the next call; empty at the end. */
  read(): Promise<Buffer>;
  close(): Promise<void>;
}

/**
 * The lines of a text file that start in one split, block by block. Every line starts in exactly one split, so all
 * splits together yield each line once, wherever their borders are. Decompresses compressed files; skips a byte order
 * mark.
 *
 * Verifies before the end that the file has not changed since it was fixed.
 */
export class LineBlocks implements LineFeeder {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #split: PlannedSplit;
  readonly #options: LineBlocksOptions;
  readonly #bytes: InputBytes;
  /** Lines that start at or after this byte belong to the next split. */
  readonly #end: number;
  /** Byte offset of the next block to read. */
  #position: number;
  /** Bytes read but not yet returned; they begin at `#offset`. */
  readonly #open: OpenLine;
  readonly #cutter = new QuotedLineCutter();
  #offset: number;
  /** Whether the first line of the split is still to be found. */
  #isSeeking: boolean;
  #lineEnd: LineEnd;
  #isDone: boolean;
  /** The last block of a compressed file, which cannot be read again: where `numbered` is. */
  #block: Buffer | undefined;
  /** The last line was read and had no newline. */
  #isLastLineOpen = false;
  #isClosed = false;

  private constructor(file: OpenFile, split: PlannedSplit, options: LineBlocksOptions) {
    const { start, end } = split;
    this.path = file.file.path;
    this.#file = file;
    this.#split = split;
    this.#options = options;
    this.#open = new OpenLine(this.path);
    this.#isSeeking = start > 0;
    this.#position = this.#isSeeking ? start - 1 : 0;
    this.#bytes = this.#bytesFrom(this.#position);
    this.#end = split.file.compression === undefined ? end : Number.POSITIVE_INFINITY;
    this.#offset = this.#position;
    this.#isDone = start >= end;
    this.#lineEnd = typeof options.lineEnd === 'string' ? options.lineEnd : '\n';
  }

  get lineEnd(): LineEnd {
    return this.#lineEnd;
  }

  /**
   * @throws InputChangedError if the file has changed since it was fixed
   * @throws FileAccessError if the file cannot be read
   */
  static async open(split: PlannedSplit, options: LineBlocksOptions): Promise<LineBlocks> {
    return new LineBlocks(await OpenFile.open(split.file), split, options);
  }

  /**
   * The next complete lines, or null at the end of the split.
   *
   * @throws MalformedInputError if bytes are not UTF-8
   * @throws InputChangedError at the end, if the file has changed since it was fixed
   */
  async next(): Promise<LineBlock | null> {
    while (!this.#isDone) {
      const block = await this.#bytes.read();
      const isEnd = block.length === 0;
      if (this.#position === 0) this.#look(block);
      let from = 0;
      if (this.#isSeeking && !isEnd) {
        from = block.indexOf(this.#newline) + 1;
        this.#isSeeking = from === 0;
        if (this.#isSeeking) from = block.length;
        this.#offset = this.#position + from;
        if (this.#offset >= this.#end) break;
      }
      const to = isEnd ? 0 : this.#cut(block, from);
      this.#position += block.length;
      this.#isDone ||= isEnd;
      const lines = to > from || isEnd ? this.#open.end(block.subarray(from, to)) : undefined;
      if (!this.#isDone) this.#open.push(block.subarray(Math.max(from, to)));
      if (isEnd && lines !== undefined && lines.length > 0) this.#isLastLineOpen = lines.at(-1) !== this.#newline;
      const decoded = lines && (await this.#decode(lines));
      if (decoded !== undefined && decoded.text.length > 0) return decoded;
    }
    this.#isDone = true;
    if (!this.#isClosed) await this.#verify();
    return null;
  }

  /**
   * The number, from 1, of the line that contains the byte at `offset`. Reads the file up to that byte, so it is for
   * error messages only.
   *
   * @throws InputChangedError if the file has changed since it was fixed, which explains the original error
   */
  async lineAt(offset: number): Promise<number> {
    await this.#verify();
    const { numbered } = this.#options;
    const isFurther = numbered?.path === this.path && numbered.offset <= offset;
    if (isFurther && this.#block !== undefined) {
      return numbered.line + this.#countLines(this.#block.subarray(0, offset - numbered.offset));
    }
    const from = isFurther ? numbered : noLine();
    const bytes = this.#bytesFrom(from.offset);
    let { line } = from;
    try {
      for (let position = from.offset; position < offset; ) {
        const read = await bytes.read();
        if (read.length === 0) break;
        const block = read.subarray(0, offset - position);
        line += this.#countLines(block);
        position += block.length;
      }
    } finally {
      await bytes.close();
    }
    if (numbered !== undefined && this.#block === undefined) Object.assign(numbered, { path: this.path, offset, line });
    return line;
  }

  async close(): Promise<void> {
    this.#isDone = true;
    this.#isClosed = true;
    await this.#bytes.close();
    await this.#file.close();
  }

  #bytesFrom(position: number): InputBytes {
    const { file } = this.#split;
    return file.compression === undefined
      ? new PlainBytes(this.#file, position)
      : new UnpackedBytes(this.#file, file.compression, this.#options.environment);
  }

  get #newline(): number {
    return this.#lineEnd.charCodeAt(0);
  }

  #look(block: Buffer): void {
    const { lineEnd } = this.#options;
    if (typeof lineEnd === 'function') this.#lineEnd = lineEnd(block) ?? '\n';
    // The format of a compressed file's content is known only after decompression.
    if (this.#split.file.compression !== undefined) assertText(this.path, block);
  }

  async #verify(): Promise<void> {
    await this.#file.verify();
    if (this.#isLastLineOpen && this.#split.file.compression === undefined) await this.#file.verifyLastLine();
  }

  /**
   * Where the complete lines in `block` end; at most `from` if there are none. Ends the split when its last line is
   * complete.
   */
  #cut(block: Buffer, from: number): number {
    if (this.#options.newlinesInQuotes === true) return this.#cutter.cut(block, this.#newline);
    const border = this.#end - 1 - this.#position;
    if (border < block.length) {
      const last = block.indexOf(this.#newline, Math.max(from, border));
      if (last >= 0) {
        this.#isDone = true;
        return last + 1;
      }
    }
    return block.lastIndexOf(this.#newline) + 1;
  }

  #decode(lines: Buffer): LineBlock | Promise<LineBlock> {
    const start = this.#offset;
    this.#offset += lines.length;
    const bytes = start === 0 ? withoutMark(lines) : lines;
    const offset = this.#offset - bytes.length;
    this.#numberBlock(bytes, offset);
    const text = textOf(bytes);
    return text === undefined ? this.#notUtf8(bytes, offset) : { text, bytes, offset };
  }

  /** The lines of a compressed file are counted as they come. */
  #numberBlock(bytes: Buffer, offset: number): void {
    const { numbered } = this.#options;
    if (numbered === undefined || this.#split.file.compression === undefined) return;
    const before = this.#block === undefined ? 1 : numbered.line + this.#countLines(this.#block);
    Object.assign(numbered, { path: this.path, offset, line: before });
    this.#block = Buffer.from(bytes);
  }

  #countLines(bytes: Buffer): number {
    let count = 0;
    for (let at = bytes.indexOf(this.#newline); at >= 0; at = bytes.indexOf(this.#newline, at + 1)) count++;
    return count;
  }

  async #notUtf8(bytes: Buffer, offset: number): Promise<never> {
    const { lineStart, column } = findUtf8Fault(bytes, this.#newline);
    const line = await this.lineAt(offset + lineStart);
    throw new MalformedInputError({ file: this.path, line, column }, 'not valid UTF-8');
  }
}

/** The bytes of an uncompressed file. */
class PlainBytes implements InputBytes {
  readonly #file: OpenFile;
  readonly #buffer: Buffer;
  #position: number;

  constructor(file: OpenFile, position: number) {
    this.#file = file;
    this.#position = position;
    this.#buffer = Buffer.allocUnsafe(Math.min(blockBytes, file.file.end - position));
  }

  async read(): Promise<Buffer> {
    const length = await this.#file.read(this.#buffer, this.#position);
    this.#position += length;
    return this.#buffer.subarray(0, length);
  }

  async close(): Promise<void> {}
}
