import type { LineEnd } from './line-end.ts';

/** Complete lines of a text, decoded. */
export interface LineBlock {
  readonly text: string;
  /** `text` in UTF-8. Valid until the next block is requested. */
  readonly bytes: Buffer;
  /** Byte offset of `text` in the whole text. */
  readonly offset: number;
}

/** The input of a line parser, block by block: a split of a file, or a stream. */
export interface LineFeeder {
  /** Name of the file or stream, for messages. */
  readonly path: string;
  /** Known after the first block. */
  readonly lineEnd: LineEnd;
  /** The next complete lines, or null when there are no more. @throws MalformedInputError at bytes that are not UTF-8 */
  next(): Promise<LineBlock | null>;
  /** The number, from 1, of the line that contains the byte at `offset` of the last block. For error messages. */
  lineAt(offset: number): Promise<number>;
  close(): Promise<void>;
}
