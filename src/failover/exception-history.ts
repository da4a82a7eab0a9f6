import type { FailurePlace } from '../failure-place.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';

/** A failure as the history keeps it. */
export interface ExceptionEntry {
  readonly atMs: number;
  /** `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  /** Where in the task it failed, as far as that is known. */
  readonly place?: FailurePlace | undefined;
  readonly cause: Error;
  readonly labels: Readonly<Record<string, string>>;
}

/** A failure that was an attempt of its own, and those that were merged into its restart. */
export interface RootExceptionEntry extends ExceptionEntry {
  /** The first ones, in the order they came. */
  readonly concurrent: readonly ExceptionEntry[];
  /** How many more were merged and not kept. */
  readonly concurrentNotKept: number;
}

/**
 * The latest failures of a job, oldest first. Bounded in both directions: when 10 000 tasks fail together, the history
 * keeps some and counts the others. (Flink: `ExceptionHistoryEntry`, `BoundedFIFOQueue`.)
 */
export class ExceptionHistory {
  readonly #size: number;
  readonly #concurrentSize: number;
  readonly #roots: { readonly entry: ExceptionEntry; readonly concurrent: ExceptionEntry[]; notKept: number }[] = [];
  #entries: readonly RootExceptionEntry[] | undefined;

  /**
   * @param size root failures that are kept, at least 1
   * @param concurrentSize merged failures that are kept with each, 0 or more
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

  /** Adds a failure: as one of its own, or to the latest one if it was merged into its restart. O(1). */
  add(entry: ExceptionEntry, isRoot: boolean): void {
    this.#entries = undefined;
    const latest = this.#roots.at(-1);
    if (isRoot || latest === undefined) {
      this.#roots.push({ entry, concurrent: [], notKept: 0 });
      if (this.#roots.length > this.#size) this.#roots.shift();
    } else if (latest.concurrent.length < this.#concurrentSize) latest.concurrent.push(entry);
    else latest.notKept++;
  }

  /** The history as it is now; later failures do not change what was returned. */
  entries(): readonly RootExceptionEntry[] {
    this.#entries ??= this.#roots.map(({ entry, concurrent, notKept }) => ({
      ...entry,
      concurrent: [...concurrent],
      concurrentNotKept: notKept,
    }));
    return this.#entries;
  }
}
