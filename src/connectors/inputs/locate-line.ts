import { LineBlocks, type LineBlocksOptions } from '../line-blocks.ts';
import type { LineBlock } from '../line-feeder.ts';
import type { PlannedSplit } from './files-plan.ts';

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
