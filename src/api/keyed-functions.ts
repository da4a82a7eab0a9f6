import type { AsyncMapOptions, KeyConcurrency, KeyedProcessContext } from '../operators/operator-description.ts';
import type { RecordOptions } from './stream-graph.ts';

/**
 * The type of a key, which is compared by value. For several fields, build one string: `` `${f.origin}/${f.day}` ``.
 */
export type Key = string | number | bigint | boolean | null | undefined;

/** Three functions that fold the records of a key into a result. */
export interface Aggregation<Record, Of, Accumulator, Result> {
  /** A new, empty accumulator. */
  readonly create: () => Accumulator;
  /** Adds a record. Returns the next accumulator; it may change and return the one it was given. */
  readonly add: (accumulator: Accumulator, record: Record) => NoInfer<Accumulator>;
  /** The value to emit. If `add` changes its accumulator in place, this must be a new value. */
  readonly result: (accumulator: Accumulator, key: Of) => Result;
}

/** A function with a state per key, for what `reduce` and `aggregate` cannot say. */
export interface KeyedProcess<Record, Of, State, Out> {
  readonly onRecord: (record: Record, context: KeyedProcessContext<Of, State>, emit: (out: Out) => void) => void;
  /** Called when the input has ended, once per key that has a state. */
  readonly onEnd?: ((context: KeyedProcessContext<Of, State>, emit: (out: Out) => void) => void) | undefined;
}

/** Options of `mapAsync` after `keyBy`. */
export interface KeyedAsyncMapOptions<In, Answer = unknown>
  extends Omit<AsyncMapOptions<In>, 'concurrencyPerKey'>,
    RecordOptions<In, Answer> {
  /** Maximum number of calls under way per key: the key of `keyBy`, or another one. Default: no limit. */
  readonly concurrencyPerKey?: number | KeyConcurrency<In> | undefined;
}
