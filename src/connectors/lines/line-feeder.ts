import type { LineEnd } from './line-end.ts';

/** Complete lines of a text, decoded. */
export interface LineBlock {
  readonly text: string;
  /** `text` in UTF-8. Holds until the next block is asked for. */
  readonly bytes: Buffer;
  /** Where `text` begins in the whole text, in bytes. */
  readonly offset: number;
}

/** What a parser of lines is fed by, block by block: the share of a file, or a stream. */
export interface LineFeeder {
  /** Whose lines they are, for messages. */
  readonly path: string;
  /** Known once there was a block. */
  readonly lineEnd: LineEnd;
  /** The next complete lines, or null when there are no more. @throws MalformedInputError at bytes that are not UTF-8 */
  next(): Promise<LineBlock | null>;
  /** Number of the line, from 1, in which the byte at `offset` of the last block lies. For error messages. */
  lineAt(offset: number): Promise<number>;
  close(): Promise<void>;
}
