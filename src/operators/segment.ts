import type { Batch } from '../partitions/stream-element.ts';

/** A stretch of the chain; `drain` hands out what it holds back until the input has ended. */
export interface Segment {
  run(records: Batch, out: unknown[]): void;
  /** Each call appends some results; false when there were no more. */
  readonly drain?: (out: unknown[]) => boolean;
}
