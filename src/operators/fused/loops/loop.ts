import type { StageClock } from '../../operator-stage.ts';
import type { RecordRejections } from '../../rejected/rejections.ts';
import type { OperatorDescription } from '../../operator-description.ts';
import type { LoopEnds, LoopTail } from '../../../partitions/loop-ends.ts';
import type { CreateTable } from '../../state/state-tables.ts';
import type { StateTable } from '../../state/tables/state-table.ts';
import type { PartialResults } from './partial-results.ts';
import type { Loop, PullingLoop } from './segment.ts';

/** An operator that needs only the record, so it can be a step of a loop. */
export type LoopOperator = Extract<OperatorDescription, { kind: 'map' | 'filter' | 'flatMap' | 'aggregate' }>;

/** Accumulators by key, in the order in which the keys appeared. */
export type Accumulators = StateTable;

/** The loops of a stretch of operators. `pull` if it has a head. */
export interface Loops {
  readonly run: Loop;
  readonly pull?: PullingLoop | undefined;
  /** Whether results are put to the tail, and not into `out`. */
  readonly usesTail: boolean;
}

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
  /** Whether the user's functions are called, never inlined. Default false. */
  readonly callsApart?: boolean;
  /** Times the loops, which then adapt. Default: they do not. */
  readonly clock?: StageClock | undefined;
  /** Name of the vertex, for stack traces. */
  readonly name?: string | undefined;
  /** Loops whose code is the same share what V8 learns about it only if this is the same too. Default: they do. */
  readonly feedback?: string | undefined;
  /** Names of the operators in the task's chain. Default: the name of the vertex. */
  readonly uids?: readonly string[] | undefined;
  /** Of its last operator, an `aggregate` with `emit: 'partial'`. */
  readonly partials?: PartialResults | undefined;
  /** Default: states by key are in memory. */
  readonly createTable?: CreateTable | undefined;
  /** Ends of the task that it reaches directly. Not with `rejections`. Default: none. */
  readonly ends?: LoopEnds | undefined;
}

/**
 * The tail to which a loop puts its results; undefined if it collects them. The results of a flatMap are collected,
 * because one record may have more of them than an output has room for, and so are partial results.
 */
export function tailOf(operators: readonly LoopOperator[], { ends }: LoopOptions): LoopTail | undefined {
  return operators.some(hasManyResults) ? undefined : ends?.tail;
}

function hasManyResults(operator: LoopOperator): boolean {
  return operator.kind === 'flatMap' || (operator.kind === 'aggregate' && operator.emit === 'partial');
}
