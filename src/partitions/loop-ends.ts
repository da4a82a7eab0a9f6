/** The answer of a reader that has no record at hand: it has to wait, or has reached its end. */
export const noRecord: unique symbol = Symbol('noRecord');

/** Where a loop takes its records one by one: the reader of a source. */
export interface LoopHead {
  /** The next record, or {@link noRecord}. @throws the error of the source */
  next(): unknown;
}

/** An output that takes the results of a loop one by one. */
interface TailOutput {
  /** Whether more results may be put now. The results of a record are put even if not. */
  readonly isWritable: boolean;
  /** Total number of batches that it has handed on. */
  readonly batchesHanded: number;
  /** uid of the operator whose key function it calls; undefined if there is none. */
  readonly keyOwner?: string | undefined;
  /** A loop has ended, in which it put `count` results. */
  notePut(count: number): void;
}

/** An output that chooses a subpartition for each record. */
export interface WriterTail extends TailOutput {
  readonly kind: 'writer';
  /** undefined: the first, which serves all. */
  readonly selection: { readonly kind: 'hash'; readonly keyOf: (record: never) => unknown } | 'in turn' | undefined;
  readonly subpartitionCount: number;
  put(subpartition: number, record: unknown): void;
  putInTurn(record: unknown): void;
}

/** A sink. */
export interface SinkTail extends TailOutput {
  readonly kind: 'sink';
  readonly writer: { writeOne(record: never): unknown };
  /**
   * The writer answered something else than undefined for a record, as a rule a promise. Returns whether it has to wait, so
   * that further results are to be held.
   * @param before number of results that were put in this loop before it
   */
  answered(answer: unknown, record: unknown, before: number): boolean;
  /** Takes a result while it waits. */
  hold(record: unknown): void;
}

/** Where a loop puts its results one by one, without an array between. */
export type LoopTail = WriterTail | SinkTail;

/** The ends of a task that a loop may reach directly. */
export interface LoopEnds {
  /** undefined: it is given batches. */
  readonly head?: LoopHead | undefined;
  /** undefined: it appends its results to an array. */
  readonly tail?: LoopTail | undefined;
}
