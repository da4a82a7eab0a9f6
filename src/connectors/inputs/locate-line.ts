import { LineBlocks, type LineBlocksOptions } from '../lines/line-blocks.ts';
import type { LineBlock } from '../lines/line-feeder.ts';
import type { PlannedSplit } from './files-plan.ts';

const byteOrderMarkLength = 3;

/** What is left of a split of a text file from the block on that is handed out; undefined if that is its first one, or the same. */
export function restOfSplit<Split extends PlannedSplit>(split: Split, blockStart: number): Split | undefined {
  // What is packed is unpacked from its beginning anyway, and a byte order mark is no line.
  const isFurther = blockStart > split.start && blockStart > byteOrderMarkLength;
  return isFurther && split.file.compression === undefined ? { ...split, start: blockStart } : undefined;
}

/**
 * Where a record of a split of a text file begins, as `file:line`; undefined if there are not so many. Reads the file again
 * up to there: for messages.
 *
 * @param record its number in the split, from 0
 * @param beginningsIn where the records in complete lines begin
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
