import type { WrittenElement } from '../stream-element.ts';

/** How an element differs from the earlier one, which had `countBefore` records: 0 for a mark. */
export function differenceOf(again: WrittenElement, countBefore: number): string {
  if (again.kind !== 'records') {
    return countBefore === 0 ? `another mark (${again.kind})` : `a new mark (${again.kind})`;
  }
  return countBefore === 0 ? 'records instead of a mark' : 'other records';
}
