import type { Observable } from 'rxjs';
import type { Sink } from './sink.ts';
import type { Source } from './source.ts';

/** So many calls per interval. */
export interface CallLimit {
  readonly calls: number;
  readonly perMs: number;
}

/** So many tokens (or dollars, or bytes) per interval, of which each call costs some. */
export interface TokenLimit<In = never> {
  readonly tokens: number;
  readonly perMs: number;
  /** What the call for a record costs, each time it is made: from 0. Asked once per record and attempt. */
  readonly cost: (record: In) => number;
}

/** What any stretch of `perMs` may see of an operator's calls: never more, wherever the stretch begins. */
export type RateLimit<In = never> = CallLimit | TokenLimit<In>;

/** How many calls may be under way for the records of one key. */
export interface KeyConcurrency<In = never> {
  readonly key: (record: In) => string | number | bigint | boolean | null | undefined;
  readonly limit: number;
}

/** Options of `mapAsync` for records of type `In`. */
export interface AsyncMapOptions<In = never> {
  /** Calls under way at once, per subtask. Default 16. */
  readonly concurrency?: number | undefined;
  /** Results in the order of the input (default), or as they arrive. */
  readonly ordered?: boolean | undefined;
  /** Limit of one call, in ms; the call's signal is aborted then and the call counts as failed. Default: none. */
  readonly timeoutMs?: number | undefined;
  /**
   * Retries of one record before its error fails the task. Default 0. A refusal that says when to come again (see
   * `rateLimit`) is none: the same call is made once more when that time is over, as often as it takes.
   */
  readonly retries?: number | undefined;
  /** Wait before retry number `retry` (from 1), in ms. Default: 100 · 2^(retry−1), at most 10 000, with ±20 % jitter. */
  readonly retryDelayMs?: ((retry: number, error: Error) => number) | undefined;
  /**
   * Whether an error is worth a retry, or another call after a refusal. Default: every error but an `UnrecoverableError`, a
   * call that was refused for good (an HTTP status of 400 to 499 other than 408, 425 and 429), and what else no repetition
   * cures.
   */
  readonly retryIf?: ((error: Error) => boolean) | undefined;
  /**
   * The longest that a service may ask to wait, in ms. Default 24 hours, at most 24.8 days. A call that is refused for longer
   * fails with a `RetryAfterError`, and the job with it.
   */
  readonly maxRetryAfterMs?: number | undefined;
  /**
   * The most calls, or tokens, per interval, of all subtasks and attempts of the operator together, retries included; several
   * limits hold at once. Who asks first calls first. Default: no limit.
   *
   * With a limit or without: an answer of 429 or 503 that names a time (the header `retry-after`, or `retryAfterMs` of the
   * error) pauses every call of the operator for so long, up to `maxRetryAfterMs`. A time of 0, or one that is over, lets the
   * call be made again at once.
   */
  readonly rateLimit?: RateLimit<In> | readonly RateLimit<In>[] | undefined;
  /**
   * The most calls under way for records of one key, over all subtasks: those of other keys go ahead. With a limit of 1
   * the calls of a key are made one after the other, in a subtask in the order of its records. Default: no limit.
   */
  readonly concurrencyPerKey?: KeyConcurrency<In> | undefined;
}

/** What the function of `mapAsync` gets beside the record. */
export interface AsyncCallContext {
  /** Aborted when the call times out or its task is cancelled or fails. */
  readonly signal: AbortSignal;
  /** 0 for the first try of this record in this attempt; a call that was refused with a time to wait does not count. */
  readonly retry: number;
}

/** State of one key in `process`: a value of the user's, kept between records of that key. */
export interface KeyedProcessContext<Key, State> {
  readonly key: Key;
  /** The state of this key; undefined before it was first set. */
  get(): State | undefined;
  set(state: State): void;
  clear(): void;
}

/** A step inside a task, as data: what it does, not how it is run. Keyed steps see only records of their subtask's keys. */
export type OperatorDescription =
  | { readonly kind: 'map'; readonly fn: (record: never) => unknown }
  | { readonly kind: 'filter'; readonly predicate: (record: never) => boolean }
  | { readonly kind: 'flatMap'; readonly fn: (record: never) => Iterable<unknown> }
  | {
      readonly kind: 'asyncMap';
      readonly fn: (record: never, context: AsyncCallContext) => PromiseLike<unknown> | unknown;
      readonly options: AsyncMapOptions;
    }
  | { readonly kind: 'pipe'; readonly operator: (source: Observable<never>) => Observable<unknown> }
  | {
      /** Folds the records of a key: `emit: 'final'` one result per key at the end, `'updates'` one per record. */
      readonly kind: 'aggregate';
      readonly keyOf: (record: never) => unknown;
      /** The accumulator of a key after its first record, which `add` is not called with. */
      readonly create: (record: never) => unknown;
      /** Returns the next accumulator; may change and return the one it was given, which nobody else sees. */
      readonly add: (accumulator: never, record: never) => unknown;
      readonly result: (accumulator: never, key: never) => unknown;
      readonly emit: 'final' | 'updates';
    }
  | {
      readonly kind: 'process';
      readonly keyOf: (record: never) => unknown;
      readonly onRecord: (
        record: never,
        context: KeyedProcessContext<never, never>,
        emit: (out: unknown) => void,
      ) => void;
      /** Called once per key that has state, when the input ended. */
      readonly onEnd?: (context: KeyedProcessContext<never, never>, emit: (out: unknown) => void) => void;
    };

/** How a record chooses among the subpartitions of an edge. */
export type Partitioning =
  /** To the consumer(s) that the pointwise pattern names; round robin among several. */
  | { readonly kind: 'forward' }
  /** Round robin over all consumers, starting at the producer's own index. */
  | { readonly kind: 'rebalance' }
  | { readonly kind: 'broadcast' }
  /** By hash of the key: the same key always goes to the same consumer. */
  | { readonly kind: 'hash'; readonly keyOf: (record: never) => unknown };

/** What a subtask of a job vertex runs: an input, a chain of operators, and where the results go. */
export interface VertexProgram {
  /** undefined: reads an input gate over all incoming edges. */
  readonly source: Source<unknown> | undefined;
  readonly operators: readonly OperatorDescription[];
  /** Parallel to the vertex' outgoing edges in the job graph. */
  readonly outputs: readonly { readonly edge: number; readonly partitioning: Partitioning }[];
  readonly sink: Sink<unknown> | undefined;
}
