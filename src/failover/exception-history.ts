import { InvalidArgumentError } from '../errors.ts';
import { produce } from 'immer';

/** A failure as the history keeps it. */
export interface ExceptionEntry {
  readonly atMs: number;
  /** `map[2]`; undefined for a failure of the job as a whole. */
  readonly task: string | undefined;
  readonly cause: Error;
  readonly labels: Readonly<Record<string, string>>;
}

/** A failure that was an attempt of its own, and those that were merged into its restart. */
export interface RootExceptionEntry extends ExceptionEntry {
  readonly concurrent: readonly ExceptionEntry[];
}

/** The latest failures of a job, oldest first. Bounded; entries are immutable. (Flink: `ExceptionHistory`.) */
export class ExceptionHistory {
  readonly #size: number;
  #entries: readonly RootExceptionEntry[] = [];

  /** @param size root failures that are kept, at least 1 */
  constructor(size = 16) {
    if (!Number.isInteger(size) || size < 1) {
      throw new InvalidArgumentError('exceptionHistorySize', size, 'an integer ≥ 1');
    }
    this.#size = size;
  }

  /** Adds a failure: as one of its own, or to the latest one if it was merged into its restart. */
  add(entry: ExceptionEntry, isRoot: boolean): void {
    this.#entries = produce(this.#entries as RootExceptionEntry[], (draft) => {
      const latest = draft.at(-1);
      if (isRoot || latest === undefined) draft.push({ ...entry, concurrent: [] });
      else (latest.concurrent as ExceptionEntry[]).push(entry);
      if (draft.length > this.#size) draft.shift();
    });
  }

  entries(): readonly RootExceptionEntry[] {
    return this.#entries;
  }
}
