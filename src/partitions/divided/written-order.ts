import { isDeepStrictEqual } from 'node:util';
import { PartitionLostError } from '../../errors/result-errors.ts';
import { elementOf, type Mark, type WrittenElement } from '../stream-element.ts';
import type { IndexedElement } from '../storage/result-index.ts';
import { type StoredContents, StoredShare } from './stored-share.ts';

/**
 * How a producer had chosen the subpartitions: each record to `all`; `in turn`, beginning with number `first`; or by
 * some rule of the record (`any`).
 */
export type ShareOrder =
  | { readonly kind: 'all' }
  | { readonly kind: 'in turn'; readonly first: number }
  | { readonly kind: 'any' };

/** Maximum records in a batch. */
const batchRecords = 1_024;

/**
 * The elements of a complete result, as its producer wrote them: each once, marks at their places among the records, and
 * the records in the same order. Of shares by `any` rule, only the order within each is kept: they come one after another.
 * @throws PartitionLostError if something cannot be read, or is not as such a producer writes it
 */
export async function* writtenOrder(contents: StoredContents, order: ShareOrder): AsyncGenerator<WrittenElement> {
  const { subpartitionCount } = contents.index;
  const count = order.kind === 'all' ? 1 : subpartitionCount;
  const elements = Array.from({ length: subpartitionCount }, (): IndexedElement[] => []);
  for (const element of contents.index.elements) elements[element.subpartition]?.push(element);
  const shares = elements.slice(0, count).map((own, subpartition) => new StoredShare(contents, subpartition, own));
  let turn = order.kind === 'in turn' ? order.first % count : 0;
  for (;;) {
    // An own loop for each stretch between two marks.
    let records: unknown[] = [];
    for (let ended = 0; ended < count; ) {
      const share = shares[turn] as StoredShare;
      if (!share.hasRecord && !(await share.load())) {
        if (order.kind === 'in turn') break;
        ended++;
        turn = (turn + 1) % count;
        continue;
      }
      records.push(share.takeRecord());
      if (order.kind === 'in turn') turn = turn + 1 === count ? 0 : turn + 1;
      if (records.length < batchRecords) continue;
      yield elementOf(records);
      records = [];
    }
    if (records.length > 0) yield elementOf(records);
    const mark = await commonMark(contents, shares);
    if (mark === undefined) return;
    yield mark;
  }
}

/** The mark that is next in all shares, which it passes; undefined at their ends. */
async function commonMark({ id }: StoredContents, shares: readonly StoredShare[]): Promise<Mark | undefined> {
  const haveRecords = await Promise.all(shares.map((share) => share.load()));
  const mark = shares[0]?.mark;
  if (haveRecords.includes(true) || !shares.every((share) => isDeepStrictEqual(share.mark, mark))) {
    throw new PartitionLostError(id, 'its shares do not belong together');
  }
  for (const share of shares) share.passMark();
  return mark;
}
