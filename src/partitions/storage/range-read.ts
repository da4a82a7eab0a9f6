/** A requested range of a file. */
export interface RangeRead {
  readonly offset: number;
  readonly length: number;
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** Ranges to read with one call, ordered by offset. */
export interface RangeRun {
  readonly offset: number;
  readonly length: number;
  readonly reads: readonly RangeRead[];
}

/** Maximum gap between two ranges of one read: reading it is cheaper than a second read. */
const widestGap = 16 * 1_024;

/** Maximum length of a read of several ranges. A single range may be longer. */
const longestRun = 1_024 * 1_024;

/** Joins ranges that overlap, touch, or nearly touch. */
export function coalesce(reads: readonly RangeRead[]): RangeRun[] {
  const runs: { offset: number; length: number; reads: RangeRead[] }[] = [];
  for (const read of reads.toSorted((a, b) => a.offset - b.offset)) {
    const run = runs.at(-1);
    const end = read.offset + read.length;
    if (run === undefined || read.offset - (run.offset + run.length) > widestGap || end - run.offset > longestRun) {
      runs.push({ offset: read.offset, length: read.length, reads: [read] });
    } else {
      run.reads.push(read);
      run.length = Math.max(run.length, end - run.offset);
    }
  }
  return runs;
}

/** Gives each range of a run its bytes, or an error if the file ended too early. `bytes` may be short. */
export function deal(run: RangeRun, bytes: Uint8Array): void {
  let dealt = 0;
  for (const { offset, length, resolve, reject } of run.reads) {
    const from = offset - run.offset;
    const to = from + length;
    const missing = Math.min(length, to - bytes.length);
    if (missing > 0) reject(new Error(`the file ends ${missing} bytes too early`));
    // A consumer may change its bytes, so overlapping ranges get copies.
    else resolve(from < dealt ? bytes.slice(from, to) : bytes.subarray(from, to));
    dealt = Math.max(dealt, to);
  }
}
