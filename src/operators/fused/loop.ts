import type { Batch } from '../../partitions/stream-element.ts';
import type { OperatorDescription } from '../operator-description.ts';
import type { SegmentTrace } from './segment.ts';

/** An operator that needs nothing but the record: it can be a step of a loop. */
export type LoopOperator = Extract<OperatorDescription, { kind: 'map' | 'filter' | 'flatMap' | 'aggregate' }>;

/** Runs a batch through a stretch of operators and appends the results. Says in `trace` where it failed. */
export type Loop = (records: Batch, out: unknown[], trace: SegmentTrace) => void;

/**
 * Accumulators by key, in the order in which the keys appeared. Each has a cell, which is changed in place: a `Map` that
 * is written for every record takes twice the time.
 */
export type Accumulators = Map<unknown, { accumulator: unknown }>;

/** What a loop does beside its work. */
export interface LoopOptions {
  /** Whether it fills `origins` of its trace. Default false. */
  readonly tracksOrigins?: boolean;
  /** Whether it freezes what one operator hands to the next. Default false. */
  readonly freezesRecords?: boolean;
  /** Name of the vertex, for stack traces. */
  readonly name?: string | undefined;
}
