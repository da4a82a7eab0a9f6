import type { Batch } from '../stream-element.ts';

/**
 * What becomes of the records that an attempt writes to a kept result. There are three kinds, and one follows another: the
 * result is written for the first time, written again, or only compared, because it was released.
 */
export interface ResultWriter {
  /** Whether one more batch may be written. */
  readonly isWritable: boolean;
  /** The attempt has stopped because it may not write: its time begins, if it waits for the disk. */
  waitForRoom(): void;
  /**
   * Takes what was written, and returns the records that no attempt has produced before.
   * @throws DeterminismBrokenError for records that differ from those produced before
   */
  take(subpartition: number, records: Batch): Batch;
  /**
   * Records that no attempt has produced before.
   * @throws DeterminismBrokenError if there were to be none
   */
  append(subpartition: number, records: Batch): void;
  /** Nothing follows. Calls `done` when everything is safe, or with the error. */
  finish(done: (error?: Error) => void): void;
  /** Nobody needs more. Calls `done` when nothing is under way. */
  curtail(done: (error?: Error) => void): void;
  /** The writer of the same attempt once its result is released. Asked just before, while everything is still there. */
  released(): ResultWriter;
}
