import { LineBlocks, type LineBlocksOptions, noLine, type NumberedLine } from '../lines/line-blocks.ts';
import type { LineBlock } from '../lines/line-feeder.ts';
import type { PlannedSplit } from './files-plan.ts';

const byteOrderMarkLength = 3;

/** Each search in a compressed file decompresses it from its beginning, so a reader makes only a few. */
const mostSearches = 16;

/** The search for lines of one subtask's splits, in ascending order. */
export interface LineSearch {
  /** The last line that was found. */
  readonly numbered: NumberedLine;
  /** Searches in compressed files. */
  count: number;
}

export function lineSearch(): LineSearch {
  return { numbered: noLine(), count: 0 };
}

/** The rest of a text split from the current block on; undefined if the block is at the start of the split. */
export function restOfSplit<Split extends PlannedSplit>(split: Split, blockStart: number): Split | undefined {
  // A compressed file is decompressed from its beginning anyway, and a byte order mark is not a line.
  const isFurther = blockStart > split.start && blockStart > byteOrderMarkLength;
  return isFurther && split.file.compression === undefined ? { ...split, start: blockStart } : undefined;
}

/**
 * Where a row of a text split begins, as `file:line`; undefined if the split has fewer rows, or after many searches in a
 * compressed file. Reads the file again up to that row, or from the last one that was found.
 *
 * @param record number of the row in the split, from 0
 * @param beginningsIn the indexes where records begin in a block of complete lines
 */
export async function locateLine(
  split: PlannedSplit,
  options: LineBlocksOptions,
  record: number,
  search: LineSearch,
  beginningsIn: (block: LineBlock) => Iterable<number>,
): Promise<string | undefined> {
  if (split.file.compression !== undefined && search.count++ >= mostSearches) return undefined;
  const blocks = await LineBlocks.open(split, { ...options, numbered: search.numbered });
  try {
    let left = record;
    for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
      for (const index of beginningsIn(block)) {
        if (left-- > 0) continue;
        return `${blocks.path}:${await blocks.lineAt(block.offset + Buffer.byteLength(block.text.slice(0, index)))}`;
      }
    }
    return undefined;
  } finally {
    await blocks.close();
  }
}
