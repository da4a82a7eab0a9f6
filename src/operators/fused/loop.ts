import type { Batch } from '../../partitions/stream-element.ts';
import type { OperatorDescription } from '../operator-description.ts';
import type { SegmentTrace } from './segment.ts';

/** An operator that needs only the record, so it can be a step of a loop. */
export type LoopOperator = Extract<OperatorDescription, { kind: 'map' | 'filter' | 'flatMap' | 'aggregate' }>;

/** Runs a batch through a stretch of operators and appends the results. On failure it sets the position in `trace`. */
export type Loop = (records: Batch, out: unknown[], trace: SegmentTrace) => void;

/**
 * Accumulators by key, in the order in which the keys appeared. Each is in a cell that is changed in place, because a
 * `Map` that is written for every record takes twice the time.
 */
export type Accumulators = Map<unknown, { accumulator: unknown }>;

/** Optional work of a loop. */
export interface LoopOptions {
  /** Whether it fills `origins` of its trace. Default false. */
  readonly tracksOrigins?: boolean;
  /** Whether it freezes records between operators. Default false. */
  readonly freezesRecords?: boolean;
  /** Name of the vertex, for stack traces. */
  readonly name?: string | undefined;
}
