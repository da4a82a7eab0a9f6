/** What `process` or aggregates of one stretch hold. */
export type SegmentState =
  | {
      readonly kind: 'loop';
      /** By aggregate, in order: key, accumulator, key, accumulator, … packed, in the order in which the keys appeared. */
      readonly accumulators: readonly Uint8Array[];
      /** Keys whose final result was produced. */
      readonly drainedKeys: number;
    }
  | {
      readonly kind: 'process';
      /** Key, state, key, state, … packed, in the order in which the keys were set. */
      readonly states: Uint8Array;
      /** Packed keys that are still to be asked at the end; undefined before the end. */
      readonly keysAtEnd: Uint8Array | undefined;
    };

/** A run of synchronous operators. */
export interface FusedState {
  readonly kind: 'fused';
  /** Packed records that were pushed and not worked on. */
  readonly waiting: Uint8Array;
  /** Packed results that were not polled. */
  readonly results: Uint8Array;
  readonly segments: readonly SegmentState[];
  readonly isOver: boolean;
}

/** Calls of `mapAsync`. */
export interface CallsState {
  readonly kind: 'calls';
  /** By record that was begun and whose result was not polled, in order: whether it has its result. */
  readonly answered: readonly boolean[];
  /** Packed results of those that were answered. */
  readonly results: Uint8Array;
  /** Packed records of those that were not: their calls are made again. */
  readonly calls: Uint8Array;
  /** Packed records that were pushed and for which no call was begun. */
  readonly waiting: Uint8Array;
  readonly isOver: boolean;
}

/** No operator. */
export interface PassingState {
  readonly kind: 'passing';
  readonly waiting: Uint8Array;
  readonly isOver: boolean;
}

/** Several stages in a row. */
export interface ChainState {
  readonly kind: 'chain';
  /** Stages that are done. */
  readonly done: number;
  /** Those of the others. */
  readonly stages: readonly StageState[];
}

/** What a stage holds of what was pushed to it and is not in what was polled. */
export type StageState = FusedState | CallsState | PassingState | ChainState;
