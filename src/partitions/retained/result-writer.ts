import type { WrittenElement } from '../stream-element.ts';

/**
 * What becomes of the elements that an attempt writes to a retained result. There are three kinds, and one follows another:
 * the result is written for the first time, reproduced, or only compared, because it was released.
 */
export interface ResultWriter {
  /** Whether one more element may be written. */
  readonly isWritable: boolean;
  /** The attempt has stopped because it may not write: its time begins, if it waits for the disk. */
  waitForRoom(): void;
  /**
   * Takes what was written, and returns what no attempt has produced before: undefined if that is nothing.
   * @throws DeterminismBrokenError for an element that differs from the one produced before
   */
  take(subpartition: number, element: WrittenElement): WrittenElement | undefined;
  /**
   * An element that no attempt has produced before.
   * @throws DeterminismBrokenError if there was to be none
   */
  append(subpartition: number, element: WrittenElement): void;
  /** Nothing follows. Calls `done` when everything is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /** No consumer needs more. Calls `done` when nothing is under way. */
  curtail(done: (error?: Error) => void): void;
  /** The writer of the same attempt once its result is released. Asked just before, while everything is still there. */
  released(): ResultWriter;
}
