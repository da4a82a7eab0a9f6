import { LineBlocks, type LineBlocksOptions, noLine, type NumberedLine } from '../lines/line-blocks.ts';
import type { LineEnd } from '../lines/line-end.ts';
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
  /** The block of the last line that was found: the next is mostly there too. */
  found: FoundLine | undefined;
}

/** A line, and the block that it is in. */
interface FoundLine {
  readonly split: PlannedSplit;
  readonly block: LineBlock;
  readonly lineEnd: LineEnd;
  /** Rows of the split before the block. */
  readonly before: number;
  /** Where the line begins in the block. */
  readonly index: number;
  readonly line: number;
}

export function lineSearch(): LineSearch {
  return { numbered: noLine(), count: 0, found: undefined };
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
  const near = nearLine(split, record, search.found, beginningsIn);
  if (near !== undefined) {
    search.found = near;
    return `${split.file.path}:${near.line}`;
  }
  if (split.file.compression !== undefined && search.count++ >= mostSearches) return undefined;
  const blocks = await LineBlocks.open(split, { ...options, numbered: search.numbered });
  try {
    let left = record;
    let before = 0;
    for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
      for (const index of beginningsIn(block)) {
        if (left-- > 0) continue;
        const line = await blocks.lineAt(block.offset + Buffer.byteLength(block.text.slice(0, index)));
        search.found = { split, block, lineEnd: blocks.lineEnd, before, index, line };
        return `${blocks.path}:${line}`;
      }
      before = record - left;
    }
    return undefined;
  } finally {
    await blocks.close();
  }
}

/** A row that is in the block of the last line that was found, at or after it; undefined if it is not. */
function nearLine(
  { file, start }: PlannedSplit,
  row: number,
  found: FoundLine | undefined,
  beginningsIn: (block: LineBlock) => Iterable<number>,
): FoundLine | undefined {
  if (found?.split.file.path !== file.path || found.split.start !== start || row < found.before) return undefined;
  const { block, lineEnd } = found;
  let left = row - found.before;
  for (const index of beginningsIn(block)) {
    if (left-- > 0) continue;
    if (index < found.index) return undefined;
    let { line } = found;
    for (
      let at = block.text.indexOf(lineEnd, found.index);
      at >= 0 && at < index;
      at = block.text.indexOf(lineEnd, at + 1)
    ) {
      line++;
    }
    return { ...found, index, line };
  }
  return undefined;
}
