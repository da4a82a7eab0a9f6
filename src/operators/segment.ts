import type { Batch } from '../partitions/stream-element.ts';

/** A stretch of the chain; `drain` hands out what it holds back until the input has ended. */
export interface Segment {
  run(records: Batch, out: unknown[]): void;
  /** Asks about `keyCount` more keys and appends their results; false when there were no more keys. */
  readonly drain?: (out: unknown[], keyCount: number) => boolean;
}
