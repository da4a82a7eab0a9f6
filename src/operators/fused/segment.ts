import type { Batch } from '../../partitions/stream-element.ts';
import type { SegmentState } from '../state/stage-state.ts';

/** The trace of one run of a segment, for error places and for the origins of results. */
export interface SegmentTrace {
  /** It failed in operator `operator` of the segment, at the record with this index. */
  failedAt(operator: number, index: number): void;
  /** By result: index of its input record. undefined if origins are not tracked. */
  readonly origins: number[] | undefined;
}

/** A stretch of the chain; `drain` hands out what it holds back until the input has ended. */
export interface Segment {
  run(records: Batch, out: unknown[], trace: SegmentTrace): void;
  /** Asks about `keyCount` more keys and appends their results; false when there were no more keys. */
  readonly drain?: ((out: unknown[], keyCount: number) => boolean) | undefined;
  /** The key whose turn it is in `drain`. */
  readonly key?: unknown;
  /** What it holds. `pack` copies values, or throws a `RecordNotSerializableError`. */
  snapshot(pack: (values: Batch) => Uint8Array): SegmentState;
  /** Takes what another one of the same operators held. Before its first record. */
  restore(state: SegmentState): void;
}

/** Key, value, key, value, … two by two. */
export function* pairsOf(flat: Batch): Generator<readonly [key: unknown, value: unknown]> {
  for (let at = 0; at < flat.length; at += 2) yield [flat[at], flat[at + 1]];
}
