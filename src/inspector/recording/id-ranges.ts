import type { IdRange } from './recording-line.ts';

/** Ids as ranges, ascending. O(ids) if they are ascending already. */
export function rangesOf(ids: readonly number[]): IdRange[] {
  const sorted = ids.every((id, at) => at === 0 || id >= (ids[at - 1] as number)) ? ids : ids.toSorted((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const id of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && id <= last[1] + 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges;
}

/** How many ids ranges hold. */
export function countOfIds(ranges: readonly IdRange[]): number {
  return ranges.reduce((count, [first, last]) => count + last - first + 1, 0);
}
