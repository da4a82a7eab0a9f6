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

export interface LineBlocksOptions {
  /** Announces the work of unpacking. */
  readonly environment: Pick<Environment, 'hold'>;
  /** A newline between double quotes does not end a line. Only for whole files. */
  readonly newlinesInQuotes?: boolean;
  /** What ends a line, or who tells it by the first bytes, for a split at the beginning. Default LF. */
  readonly lineEnd?: LineEnd | ((firstBytes: Uint8Array) => LineEnd | undefined);
}

/** Bytes of a file, in order. */
interface InputBytes {
  /** The next bytes, good until the next call; empty at the end. */
  read(): Promise<Buffer>;
  close(): Promise<void>;
}

/**
 * The lines of a text file that start in one split of it, block by block. Every line of a file starts in exactly one
 * split, so the splits together give each line once, wherever the borders fall. A packed file is unpacked. A byte order
 * mark is left out.
 *
 * Before it tells the end it makes sure that the file is still what was fixed.
 */
export class LineBlocks implements LineFeeder {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #split: PlannedSplit;
  readonly #options: LineBlocksOptions;
  readonly #bytes: InputBytes;
  /** Where the lines end that are wanted. */
  readonly #end: number;
  /** Where the next block is read. */
  #position: number;
  /** Read and not handed out; begins at `#offset`. */
  readonly #open: OpenLine;
  readonly #cutter = new QuotedLineCutter();
  #offset: number;
  /** The first line of the split is not found yet. */
  #isSeeking: boolean;
  #lineEnd: LineEnd;
  #isDone: boolean;
  /** The last line was read, and no newline ended it. */
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
   * @throws InputChangedError where the file is not what was fixed
   * @throws FileAccessError where it cannot be read
   */
  static async open(split: PlannedSplit, options: LineBlocksOptions): Promise<LineBlocks> {
    return new LineBlocks(await OpenFile.open(split.file), split, options);
  }

  /**
   * The next complete lines, or null at the end of the split.
   *
   * @throws MalformedInputError at bytes that are not UTF-8.
   * @throws InputChangedError at the end, where the file is not what was fixed.
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
   * Number of the line, from 1, in which the byte at `offset` lies. Reads the file up to there: for error messages.
   *
   * @throws InputChangedError where the file is not what was fixed, which is the better message then.
   */
  async lineAt(offset: number): Promise<number> {
    await this.#verify();
    const bytes = this.#bytesFrom(0);
    let line = 1;
    try {
      for (let position = 0; position < offset; ) {
        const read = await bytes.read();
        if (read.length === 0) break;
        const block = read.subarray(0, offset - position);
        for (let at = block.indexOf(this.#newline); at >= 0; at = block.indexOf(this.#newline, at + 1)) line++;
        position += block.length;
      }
    } finally {
      await bytes.close();
    }
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
    // What is packed shows only now what it is.
    if (this.#split.file.compression !== undefined) assertText(this.path, block);
  }

  async #verify(): Promise<void> {
    await this.#file.verify();
    if (this.#isLastLineOpen && this.#split.file.compression === undefined) await this.#file.verifyLastLine();
  }

  /** Where the complete lines in `block` end; `from` or less if there are none. Ends the range where it is over. */
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
    const text = textOf(bytes);
    return text === undefined ? this.#notUtf8(bytes, offset) : { text, bytes, offset };
  }

  async #notUtf8(bytes: Buffer, offset: number): Promise<never> {
    const { lineStart, column } = findUtf8Fault(bytes, this.#newline);
    const line = await this.lineAt(offset + lineStart);
    throw new MalformedInputError({ file: this.path, line, column }, 'not valid UTF-8');
  }
}

/** The bytes of a file as they are. */
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
