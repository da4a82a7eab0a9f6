import type { Batch } from '../../../partitions/stream-element.ts';
import type { CheckpointId } from '../../../ids.ts';
import type { SegmentState } from '../../state/stage-state.ts';
import type { Pack } from '../../state/tables/table-block.ts';

/** The trace of one run of a segment, for error places and for the origins of results. */
export interface SegmentTrace {
  /**
   * It failed in operator `operator` of the segment, at the record with this index. −1 is the head of the loop; the number
   * of operators is the choice of the tail, and one more is the tail itself.
   */
  failedAt(operator: number, index: number): void;
  /** Called before `failedAt` with what the tail was given, or what came from the head. The first call counts. */
  failedWith(value: unknown): void;
  /** A loop with a head or a tail took `taken` records, and put `put` results to its tail. Also called if it fails. */
  passed(taken: number, put: number): void;
  /**
   * A function of operator `operator` failed at the record with this index, and the operator has `errors`.
   * @returns what takes the place of its result; `skipped` for nothing
   * @throws the error, if it fails the task
   */
  reject(operator: number, index: number, error: unknown, record: unknown): unknown;
  /** By result: index of its input record. undefined if origins are not tracked. */
  readonly origins: number[] | undefined;
}

/** Runs a batch through a stretch of operators and appends the results. On failure it sets the position in `trace`. */
export type Loop = (records: Batch, out: unknown[], trace: SegmentTrace) => void;

/**
 * The same for at most `count` records that it takes itself, of which `first` is taken already unless it is `noRecord`.
 */
export type PullingLoop = (first: unknown, count: number, out: unknown[], trace: SegmentTrace) => void;

/** A stretch of the chain; `drain` emits what it holds back until the input has ended. */
export interface Segment {
  readonly run: Loop;
  /** The same for at most `count` records that it takes itself, if it can. */
  readonly pull?: PullingLoop | undefined;
  /** Whether its results are put to the tail of the loop, not into `out`. */
  readonly usesTail?: boolean;
  /** Processes `keyCount` more keys and appends their results; returns false when no keys were left. */
  readonly drain?: ((out: unknown[], keyCount: number) => boolean) | undefined;
  /** When its earliest timer is due, in wall-clock ms; undefined for none. */
  readonly nextTimerMs?: number | undefined;
  /** Handles at most `timerCount` due timers and appends their results; returns false when none were left. */
  readonly fire?: ((out: unknown[], timerCount: number) => boolean) | undefined;
  /** The current key in `drain` and `fire`. */
  readonly key?: unknown;
  /**
   * Its state. `pack` copies values, or throws a `RecordNotSerializableError`.
   *
   * @param checkpoint the one for which keyed states are set aside, to be packed later; default: they are packed now
   * @param isDrained whether `drain` has emitted everything, which then is not in the state
   */
  snapshot(pack: Pack, checkpoint?: CheckpointId, isDrained?: boolean): SegmentState;
  /** Whether a checkpoint for which keyed states were set aside is complete, or never will be. */
  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void;
  /** Hands on what it holds of records only until the end of its input. Default: nothing. */
  handOn?(out: unknown[]): void;
  /** Takes over the state of another segment with the same operators. Called before its first record. */
  restore(state: SegmentState): void;
  /** Its state is needed no more. Idempotent. */
  close(): void;
}
