import type { CheckpointId } from '../../ids.ts';
import type { OrderPosition } from '../../partitions/channel-order.ts';
import type { StageState } from './stage-state.ts';

/** The position of an input gate. */
export interface GateState {
  readonly kind: 'gate';
  /** By channel: the number of records taken. A restored gate reads on from there. */
  readonly channels: readonly number[];
  /** Its position in the channel order; undefined if the order is not recorded. */
  readonly order: OrderPosition | undefined;
}

/** The position of a source. */
export interface SourceState {
  readonly kind: 'source';
  /** The packed `position` of the reader. */
  readonly position: Uint8Array;
  /** The packed records that were read since that position and not passed to the chain. */
  readonly waiting: Uint8Array;
  /** Number of records that were passed to the chain. */
  readonly emitted: number;
}

/** The position of a task's input. */
export type InputState = GateState | SourceState;

/** The state of a writer after it has flushed. */
export interface WriterState {
  readonly kind: 'writer';
  /** The subpartition that gets the next record in round robin. */
  readonly next: number;
  /** By subpartition: the number of records written, since the beginning of the first attempt. */
  readonly records: readonly number[];
}

/** The state of a sink. */
export interface SinkState {
  readonly kind: 'sink';
  /** What was prepared for checkpoints up to this one and not known to be committed, oldest first; each packed. */
  readonly prepared: readonly PreparedOutput[];
}

/** The output of a sink up to a checkpoint. */
export interface PreparedOutput {
  readonly checkpoint: CheckpointId;
  readonly data: Uint8Array;
  /** In a savepoint, where the sink has exported it: the directory of its files, relative to that of the savepoint. */
  readonly directory?: string;
}

/** The state of an output. */
export type OutputState = WriterState | SinkState;

/** The state from which an attempt continues. Plain data. */
export interface TaskRestore {
  /** The checkpoint to which the state belongs. */
  readonly checkpoint: CheckpointId;
  readonly state: TaskState;
}

/** The state of one attempt between two of its steps. Plain data. */
export interface TaskState {
  readonly input: InputState;
  readonly chain: StageState;
  /** Parallel to its outputs. */
  readonly outputs: readonly OutputState[];
  /** Its input has ended at this state, and all results are handed on: an attempt that continues it only finishes. */
  readonly isDrained?: true;
}
