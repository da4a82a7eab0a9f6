import type { WrittenElement } from '../stream-element.ts';

/**
 * Handles the elements that an attempt writes to a retained result. There are three kinds, which may follow each
 * other: the result is written for the first time, reproduced, or only compared because it was released.
 */
export interface ResultWriter {
  /** Whether one more element may be written. */
  readonly isWritable: boolean;
  /** Whether the result has elements that the attempt has not reproduced yet. Default: it has not. */
  readonly isBehind?: boolean;
  /** The producer has stopped because it may not write: starts the time limit, if it waits for the disk. */
  waitForRoom(): void;
  /**
   * Takes a written element, and returns the part that no earlier attempt produced; undefined if there is none.
   * @throws DeterminismBrokenError for an element that differs from the earlier one
   */
  take(subpartition: number, element: WrittenElement): WrittenElement | undefined;
  /**
   * Takes an element that no earlier attempt produced.
   * @throws DeterminismBrokenError if the earlier output was complete
   */
  append(subpartition: number, element: WrittenElement): void;
  /** Everything was written. Calls `done` when it is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /** No consumer needs more. Calls `done` when nothing is under way. */
  curtail(done: (error?: Error) => void): void;
  /**
   * The writer for the rest of the attempt once its result is released. Called just before, while all data is still
   * there.
   */
  released(): ResultWriter;
}
