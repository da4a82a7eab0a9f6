import type { Batch } from '../../partitions/stream-element.ts';
import type { RecordRejections } from '../rejected/rejections.ts';
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

/** Optional work of a loop. Its operators count their records if `countsRecords` says so. */
export interface LoopOptions {
  /** Whether it fills `origins` of its trace. Default false. */
  readonly tracksOrigins?: boolean;
  /** Whether it freezes records between operators. Default false. */
  readonly freezesRecords?: boolean;
  /** Decides about records at which a function of an operator with `errors` fails. */
  readonly rejections?: RecordRejections | undefined;
  /** Index of the first operator in the task's chain. Default 0. */
  readonly firstOperator?: number | undefined;
  /** Name of the vertex, for stack traces. */
  readonly name?: string | undefined;
}
