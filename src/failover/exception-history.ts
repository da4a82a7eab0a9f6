import type { FailurePlace } from '../failure-place.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';

/** A failure in the history. */
export interface ExceptionEntry {
  readonly atMs: number;
  /** `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  /** Where in the task it failed, if known. */
  readonly place?: FailurePlace | undefined;
  readonly cause: Error;
  /** The lost results that it blames: `map[2]→sums`; absent if none. */
  readonly lostPartitions?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** A failure that counted as an attempt, with the failures that were merged into its restart. */
export interface RootExceptionEntry extends ExceptionEntry {
  /** The first merged failures, in order. */
  readonly concurrent: readonly ExceptionEntry[];
  /** Number of further merged failures. */
  readonly concurrentNotKept: number;
}

/**
 * The latest failures of a job, oldest first. Bounded in both directions: when 10 000 tasks fail together, the history
 * stores some and counts the others. (Flink: `ExceptionHistoryEntry`, `BoundedFIFOQueue`.)
 */
export class ExceptionHistory {
  readonly #size: number;
  readonly #concurrentSize: number;
  readonly #roots: { readonly entry: ExceptionEntry; readonly concurrent: ExceptionEntry[]; notKept: number }[] = [];
  #entries: readonly RootExceptionEntry[] | undefined;

  /**
   * @param size maximum number of root failures, at least 1
   * @param concurrentSize maximum number of merged failures per root, at least 0
   */
  constructor(size = 16, concurrentSize = 64) {
    if (!Number.isInteger(size) || size < 1) {
      throw new InvalidArgumentError('exceptionHistorySize', size, 'an integer ≥ 1');
    }
    if (!Number.isInteger(concurrentSize) || concurrentSize < 0) {
      throw new InvalidArgumentError('concurrentSize', concurrentSize, 'an integer ≥ 0');
    }
    this.#size = size;
    this.#concurrentSize = concurrentSize;
  }

  /** Adds a failure: as a root, or to the latest root if it was merged into that restart. O(1). */
  add(entry: ExceptionEntry, isRoot: boolean): void {
    this.#entries = undefined;
    const latest = this.#roots.at(-1);
    if (isRoot || latest === undefined) {
      this.#roots.push({ entry, concurrent: [], notKept: 0 });
      if (this.#roots.length > this.#size) this.#roots.shift();
    } else if (latest.concurrent.length < this.#concurrentSize) latest.concurrent.push(entry);
    else latest.notKept++;
  }

  /** A copy of the history; later failures do not change it. */
  entries(): readonly RootExceptionEntry[] {
    this.#entries ??= this.#roots.map(({ entry, concurrent, notKept }) => ({
      ...entry,
      concurrent: [...concurrent],
      concurrentNotKept: notKept,
    }));
    return this.#entries;
  }
}
