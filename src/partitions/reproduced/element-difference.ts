import type { WrittenElement } from '../stream-element.ts';

/** How an element differs from that before, of which the number of records is known: 0 for a mark. */
export function differenceOf(again: WrittenElement, countBefore: number): string {
  if (again.kind !== 'records') {
    return countBefore === 0 ? `another mark, a ${again.kind}` : `a ${again.kind} that was not there before`;
  }
  return countBefore === 0 ? 'records, before a mark that was there before' : 'other records';
}
