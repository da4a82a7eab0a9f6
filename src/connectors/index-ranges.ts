import type { ByteRange } from './byte-range.ts';

/**
 * Where a reader of numbered records is: the number that it has read of its share; or, since positions were divided anew,
 * the ranges that are left. Plain data.
 */
export type IndexPosition = number | { readonly left: readonly ByteRange[] };

/** The numbers that a reader still has to read. */
export class IndexRanges {
  readonly #share: ByteRange | undefined;
  readonly #later: ByteRange[];
  /** The next number, */
  at: number;
  /** and the end of the range that it is in. */
  end: number;

  /** @param share used unless the position says what is left */
  constructor(share: ByteRange, from: IndexPosition) {
    this.#share = typeof from === 'number' ? share : undefined;
    this.#later = typeof from === 'number' ? [] : [...from.left];
    this.at = typeof from === 'number' ? share.start + from : 0;
    this.end = typeof from === 'number' ? share.end : 0;
    this.advance();
  }

  /** Goes on to the next range if this one is over. Returns whether a number is left. */
  advance(): boolean {
    while (this.at >= this.end) {
      const next = this.#later.shift();
      if (next === undefined) return false;
      this.at = next.start;
      this.end = next.end;
    }
    return true;
  }

  copy(): IndexRanges {
    return new IndexRanges(this.#share ?? { start: 0, end: 0 }, this.position);
  }

  /** The number of record `index`, from 0, that is read from here. */
  numberAt(index: number): number {
    let skip = index;
    for (const { start, end } of [{ start: this.at, end: this.end }, ...this.#later]) {
      if (skip < end - start) return start + skip;
      skip -= end - start;
    }
    return this.end + skip;
  }

  get position(): IndexPosition {
    if (this.#share !== undefined) return this.at - this.#share.start;
    return { left: [{ start: this.at, end: this.end }, ...this.#later] };
  }
}

/** Divides what is left among `parallelism` readers, evenly. @param shareOf the share of an earlier reader */
export function divideIndexes(
  positions: readonly IndexPosition[],
  parallelism: number,
  shareOf: (subtask: number) => ByteRange,
): readonly IndexPosition[] {
  const left = positions.flatMap((position, subtask): readonly ByteRange[] => {
    if (typeof position !== 'number') return position.left;
    const { start, end } = shareOf(subtask);
    return [{ start: start + position, end }];
  });
  const total = left.reduce((sum, { start, end }) => sum + Math.max(0, end - start), 0);
  const divided = Array.from({ length: parallelism }, (): { left: ByteRange[] } => ({ left: [] }));
  let before = 0;
  for (const { start, end } of left) {
    for (let at = start; at < end; ) {
      const reader = Math.min(parallelism - 1, Math.floor(((before + at - start) * parallelism) / total));
      const until = start + Math.ceil(((reader + 1) * total) / parallelism) - before;
      const stop = Math.min(end, Math.max(at + 1, until));
      divided[reader]?.left.push({ start: at, end: stop });
      at = stop;
    }
    before += Math.max(0, end - start);
  }
  return divided;
}
