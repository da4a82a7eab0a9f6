import { LineBlocks, type LineBlocksOptions } from '../lines/line-blocks.ts';
import type { LineBlock } from '../lines/line-feeder.ts';
import type { PlannedSplit } from './files-plan.ts';

const byteOrderMarkLength = 3;

/** The rest of a text split from the current block on; undefined if the block is at the start of the split. */
export function restOfSplit<Split extends PlannedSplit>(split: Split, blockStart: number): Split | undefined {
  // A compressed file is decompressed from its beginning anyway, and a byte order mark is not a line.
  const isFurther = blockStart > split.start && blockStart > byteOrderMarkLength;
  return isFurther && split.file.compression === undefined ? { ...split, start: blockStart } : undefined;
}

/**
 * Where a record of a text split begins, as `file:line`; undefined if the split has fewer records. Reads the file again
 * up to that record, so it is for messages only.
 *
 * @param record number of the record in the split, from 0
 * @param beginningsIn the indexes where records begin in a block of complete lines
 */
export async function locateLine(
  split: PlannedSplit,
  options: LineBlocksOptions,
  record: number,
  beginningsIn: (block: LineBlock) => Iterable<number>,
): Promise<string | undefined> {
  const blocks = await LineBlocks.open(split, options);
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
