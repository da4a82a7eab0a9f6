import type { KeyedStates } from './tables/keyed-states.ts';

/** The state of `process`, or of the aggregates of one stretch. */
export type SegmentState =
  | {
      readonly kind: 'loop';
      /** By aggregate: the accumulators by key. */
      readonly accumulators: readonly KeyedStates[];
      /** Number of keys whose final result was produced. */
      readonly drainedKeys: number;
      /** The order in which they were produced. Absent: that in which the keys appeared. */
      readonly order?: 'bytes';
      /** Of a partial aggregate: number of records passed on since it chose its keys. */
      readonly passed?: number;
    }
  | {
      readonly kind: 'process';
      readonly states: KeyedStates;
      /** The packed keys for which `onEnd` is still to be called; undefined before the end of the input. */
      readonly keysAtEnd: Uint8Array | undefined;
    };

/** The state of a run of synchronous operators. */
export interface FusedState {
  readonly kind: 'fused';
  /** The packed records that were pushed but not processed. */
  readonly waiting: Uint8Array;
  /** The packed results that were not polled. */
  readonly results: Uint8Array;
  readonly segments: readonly SegmentState[];
  readonly isOver: boolean;
}

/** The state of `mapAsync`. */
export interface CallsState {
  readonly kind: 'calls';
  /** Per begun record whose result was not polled, in order: whether its call was answered. */
  readonly answered: readonly boolean[];
  /** The packed results of the answered calls. */
  readonly results: Uint8Array;
  /** The packed records of the unanswered calls, which are made again. */
  readonly calls: Uint8Array;
  /** The packed records that were pushed but not begun. */
  readonly waiting: Uint8Array;
  readonly isOver: boolean;
}

/** The state of an RxJS pipe that has none itself. */
export interface PipeState {
  readonly kind: 'pipe';
  /** The packed records that were pushed and not passed to the pipe. */
  readonly waiting: Uint8Array;
  /** The packed results that were not polled. */
  readonly results: Uint8Array;
  readonly isOver: boolean;
}

/** The state of a chain without operators. */
export interface PassingState {
  readonly kind: 'passing';
  readonly waiting: Uint8Array;
  readonly isOver: boolean;
}

/** The state of several stages in sequence. */
export interface ChainState {
  readonly kind: 'chain';
  /** Number of finished stages. */
  readonly done: number;
  /** The states of the other stages. */
  readonly stages: readonly StageState[];
}

/** The keyed states of a chain in which nothing was under way, whatever its stages are. */
export interface KeyedChainState {
  readonly kind: 'keyed';
  /** By operator that has one, in order. */
  readonly tables: readonly KeyedStates[];
}

/** The state of a stage: everything that was pushed and is not in polled results. */
export type StageState = FusedState | CallsState | PipeState | PassingState | ChainState | KeyedChainState;
