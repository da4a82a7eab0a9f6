import type { CheckpointId } from '../../ids.ts';
import type { OrderPosition } from '../../partitions/channel-order.ts';
import type { StageState } from './stage-state.ts';

/** Where an input gate is. */
export interface GateState {
  readonly kind: 'gate';
  /** By channel: records that were taken. A restored gate reads on from there. */
  readonly channels: readonly number[];
  /** Where it is in the order in which it takes from its channels; undefined where that is not recorded. */
  readonly order: OrderPosition | undefined;
}

/** Where a source is. */
export interface SourceState {
  readonly kind: 'source';
  /** What the reader said of its position, packed. */
  readonly position: Uint8Array;
  /** Packed records that were read from there on and not handed to the chain. */
  readonly waiting: Uint8Array;
  /** Records that were handed to the chain. */
  readonly emitted: number;
}

/** Where the input of a task is. */
export type InputState = GateState | SourceState;

/** What a writer has to know of the records before, once it has handed them on. */
export interface OutputState {
  readonly kind: 'writer';
  /** The subpartition that gets the next record, where they take turns. */
  readonly next: number;
}

/** What another attempt goes on from. Plain data. */
export interface TaskRestore {
  /** The checkpoint that the state was taken for. */
  readonly checkpoint: CheckpointId;
  readonly state: TaskState;
}

/** The state of one attempt between two of its steps. Plain data. */
export interface TaskState {
  readonly input: InputState;
  readonly chain: StageState;
  /** Parallel to its outputs. */
  readonly outputs: readonly OutputState[];
}
