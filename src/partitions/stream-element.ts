import type { CheckpointId } from '../ids.ts';

/** Records in the order they were produced. Frozen (array and records) where the environment says so; never changed. */
export type Batch = readonly unknown[];

/** Records that travel together. */
export interface Records {
  readonly kind: 'records';
  readonly records: Batch;
}

/** Divides the records that a checkpoint covers from those after it. */
export interface Barrier {
  readonly kind: 'barrier';
  readonly checkpoint: CheckpointId;
  /**
   * How a task with several channels treats it. `exactly-once`: a channel that has delivered it waits for the others.
   * `at-least-once`: none does. Default `exactly-once`.
   */
  readonly alignment?: BarrierKind;
  /**
   * Whether it comes before records that its consumer has read before: the producer reproduces them. Only what reads a
   * retained result says so.
   */
  readonly isEarly?: true;
}

/**
 * What a checkpoint promises of the state. `exactly-once`: it holds exactly the records before the barriers.
 * `at-least-once`: it may hold later ones, which are processed again after a restore.
 */
export type BarrierAlignment = 'exactly-once' | 'at-least-once';

/**
 * The barriers of savepoints. They are aligned as `exactly-once`, and before a task takes part it lets its calls be
 * answered, so that nothing is under way in it. After `stop` it takes nothing and no timer fires, unless the savepoint
 * fails. `drain` is the end of its input: it hands on its final results before the barrier, and finishes once the
 * savepoint is complete; if that fails, it must restart.
 */
export type SavepointKind = 'savepoint' | 'stop' | 'drain';

/** How tasks treat a barrier. */
export type BarrierKind = BarrierAlignment | SavepointKind;

/** Whether a barrier is that of a savepoint. */
export function isOfSavepoint({ alignment }: { readonly alignment?: BarrierKind }): boolean {
  return alignment === 'savepoint' || alignment === 'stop' || alignment === 'drain';
}

/** No record follows whose event time is this or earlier. */
export interface Watermark {
  readonly kind: 'watermark';
  /** Milliseconds since 1970; `Infinity` if no record with an event time follows. */
  readonly timestampMs: number;
}

/** Whether its producer expects to send nothing for a while, so that consumers need not wait for its watermarks. */
export interface Idleness {
  readonly kind: 'idleness';
  readonly isIdle: boolean;
}

/**
 * An element that is not a record. Sequence numbers count only records, so a mark has none: its place is *after record
 * n of its subpartition*, among the marks there in writing order, independent of batches.
 */
export type Mark = Barrier | Watermark | Idleness;

/** What a producer writes. The end is not written: it follows when the producer finishes. */
export type WrittenElement = Records | Mark;

/** What travels through a subpartition. */
export type StreamElement =
  | WrittenElement
  /** Nothing follows: the producer finished. */
  | { readonly kind: 'end' };

export const endOfPartition: StreamElement = { kind: 'end' };

/** Records as an element. */
export function elementOf(records: Batch): Records {
  return { kind: 'records', records };
}

/** The number of records in an element, by which it advances the sequence numbers. */
export function recordCountOf(element: WrittenElement): number {
  return element.kind === 'records' ? element.records.length : 0;
}
