import type { StateDeclarations, StatesOf } from './state/declared-states.ts';
import type { Observable } from 'rxjs';
import type { KeyDeclaration } from './identity/step-declaration.ts';
import type { ErrorHandling } from './rejected/on-error.ts';
import type { Sink } from './sink.ts';
import type { Source } from './source.ts';

/** A number of calls per interval. */
export interface CallLimit {
  readonly calls: number;
  readonly perMs: number;
}

/** A number of tokens (or dollars, or bytes) per interval; each call costs some. */
export interface TokenLimit<In = never> {
  readonly tokens: number;
  readonly perMs: number;
  /** The cost of each call for a record, at least 0. Called once per record and attempt. */
  readonly cost: (record: In) => number;
}

/** A limit on an operator's calls in any interval of `perMs`, wherever the interval begins. */
export type RateLimit<In = never> = CallLimit | TokenLimit<In>;

/** A limit on the calls under way for the records of one key. */
export interface KeyConcurrency<In = never> {
  readonly key: (record: In) => string | number | bigint | boolean | null | undefined;
  readonly limit: number;
}

/** How `mapAsync` remembers its answers. */
export interface RememberOptions<In = never> {
  /**
   * The key of a record: records with the same key get the same answer, for one call. Default: the whole record, in which
   * the order of properties counts.
   */
  readonly key?: ((record: In) => string) | undefined;
  /**
   * Where the answers are. Default: `answers` in the run's `stateDirectory`. A directory may be shared by operators, jobs
   * and runs at the same time.
   */
  readonly directory?: string | undefined;
  /**
   * Maximum bytes of the directory, about; past it the oldest answers are dropped. If operators that share it differ, the
   * smallest counts. Default: no limit.
   */
  readonly maxBytes?: number | undefined;
  /** How long an answer is good, in ms. Default: forever. */
  readonly ttlMs?: number | undefined;
  /** Whether the error of a record whose calls have all failed is remembered too. Default: false. */
  readonly errors?: boolean | undefined;
  /**
   * When answers are synced, to survive a power loss: `grouped` (default): within 50 ms, so that one costs at most the
   * answers of that time, which are paid again; `call`: each before it is passed on, so that one costs none of those. The
   * answers that arrive in the same turn, or during a sync, share the next one.
   */
  readonly sync?: AnswerSync | undefined;
}

/** When remembered answers are synced; see {@link RememberOptions.sync}. */
export type AnswerSync = 'grouped' | 'call';

/** Options of `mapAsync` for records of type `In`. */
export interface AsyncMapOptions<In = never> {
  /** Maximum calls under way, per subtask. Default 16. */
  readonly concurrency?: number | undefined;
  /** Whether results keep the order of the input. Default: true. */
  readonly ordered?: boolean | undefined;
  /**
   * Time limit per call, in ms. When it passes, the call's signal is aborted and the call counts as failed. An `onError`
   * that answers with a promise has as much time; then the task fails. Default: none.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Retries per record before its error fails the task. Default 0. A refusal with a time to wait (see `rateLimit`) does
   * not count: the call is made again after that time, any number of times.
   */
  readonly retries?: number | undefined;
  /**
   * Delay before retry number `retry` (from 1), in ms. Default: 100 · 2^(retry−1), at most 10 000, with ±20 % jitter.
   */
  readonly retryDelayMs?: ((retry: number, error: Error) => number) | undefined;
  /**
   * Whether to retry after an error, or call again after a refusal. Default: all errors except `UnrecoverableError`,
   * calls refused for good (an HTTP status from 400 to 499 other than 408, 425 and 429), and other errors that no retry
   * cures.
   */
  readonly retryIf?: ((error: Error) => boolean) | undefined;
  /**
   * The longest wait that a service may ask for, in ms. Default 24 hours, at most 24.8 days. A call refused for longer
   * fails with a `RetryAfterError`, which fails the job.
   */
  readonly maxRetryAfterMs?: number | undefined;
  /**
   * Maximum calls, or tokens, per interval, over all subtasks and attempts of the operator, including retries. Several
   * limits apply together. Calls are served in order of request. Default: no limit.
   *
   * With or without a limit, a 429 or 503 response with a time (the header `retry-after`, or `retryAfterMs` of the
   * error) pauses all calls of the operator for that time, up to `maxRetryAfterMs`. After a time of 0, or one in the
   * past, the call is made again at once.
   */
  readonly rateLimit?: RateLimit<In> | readonly RateLimit<In>[] | undefined;
  /**
   * Maximum calls under way per key, over all subtasks; calls of other keys overtake. With a limit of 1 the calls of a
   * key run one after the other, within a subtask in record order. Default: no limit.
   */
  readonly concurrencyPerKey?: KeyConcurrency<In> | undefined;
  /**
   * Whether answers are remembered, so that no call is paid twice: after a restart of the task, in a later run, or for
   * another record with the same key. An answer is found by the operator's `uid`, its `version` (default: the source text
   * of the function) and the key; it takes no call and no rate limit. Default: on in a run with `stateDirectory`.
   */
  readonly remember?: boolean | RememberOptions<In> | undefined;
}

/** The second argument of the `mapAsync` function. */
export interface AsyncCallContext {
  /** Aborted when the call times out, or its task is canceled or fails. */
  readonly signal: AbortSignal;
  /** 0 for the first call for this record in this attempt. A call refused with a time to wait does not count. */
  readonly retry: number;
}

/** State of one key in `process`: a user value that lives between records of that key. */
export interface KeyedProcessContext<Key, State> {
  readonly key: Key;
  /** The state of this key; undefined before it was first set. */
  get(): State | undefined;
  set(state: State): void;
  clear(): void;
}

/** What a `process` with declared states works with, of the current key. Valid only during a call. */
export interface StatefulProcessContext<Key, States extends StateDeclarations> {
  readonly key: Key;
  readonly states: StatesOf<States>;
  /** The wall-clock time, in ms since 1970. */
  readonly nowMs: number;
  /**
   * Has `onTimer` called for this key at a time, in ms since 1970; at once if it is past. Once for each time, however often it is
   * set.
   */
  setTimer(atMs: number): void;
  /** Takes back the timer of this key at that time, if there is one. */
  clearTimer(atMs: number): void;
}

/** What a `process` without keys works with. Valid only during a call. */
export interface SubtaskProcessContext<States extends StateDeclarations> {
  readonly states: StatesOf<States>;
  /** The wall-clock time, in ms since 1970. */
  readonly nowMs: number;
}

/** An operator as data: what it does, not how it runs. Keyed operators see only the keys of their subtask. */
export type OperatorDescription =
  | ({ readonly kind: 'map'; readonly fn: (record: never) => unknown } & MayReject)
  | ({ readonly kind: 'filter'; readonly predicate: (record: never) => boolean } & MayReject)
  | ({ readonly kind: 'flatMap'; readonly fn: (record: never) => Iterable<unknown> } & MayReject)
  | ({
      readonly kind: 'asyncMap';
      readonly fn: (record: never, context: AsyncCallContext) => PromiseLike<unknown> | unknown;
      /** Behind `keyBy`: what fails for a record that has no valid key is a call for it. */
      readonly keyOf?: (record: never) => unknown;
      readonly options: AsyncMapOptions;
    } & MayReject)
  | {
      readonly kind: 'pipe';
      readonly operator: (source: Observable<never>) => Observable<unknown>;
      /** Whether it has emitted the results of a record before it returns, and remembers nothing. Default: not. */
      readonly isStateless?: boolean;
      readonly errors?: undefined;
    }
  | ({
      /** Folds the records of a key: `emit: 'final'` one result per key at the end, `'updates'` one per record. */
      readonly kind: 'aggregate';
      readonly keyOf: (record: never) => unknown;
      /** Makes the accumulator of a key from its first record, for which `add` is not called. */
      readonly create: (record: never) => unknown;
      /** Returns the next accumulator; may change and return the given one, which is not shared. */
      readonly add: (accumulator: never, record: never) => unknown;
      readonly result: (accumulator: never, key: never) => unknown;
      /**
       * `partial`: like `final`, but as soon as there are too many keys it has results too, for another `aggregate` that merges
       * them. Results are of the records of a key that came one after another.
       */
      readonly emit: 'final' | 'updates' | 'partial';
      /** How accumulators of the same key are merged, if they may be. */
      readonly merge?: AccumulatorMerge | undefined;
    } & MayReject)
  | ({
      readonly kind: 'process';
      readonly keyOf: (record: never) => unknown;
      readonly onRecord: (
        record: never,
        context: KeyedProcessContext<never, never>,
        emit: (out: unknown) => void,
      ) => void;
      /** Called once per key with state, at the end of the input. */
      readonly onEnd?: (context: KeyedProcessContext<never, never>, emit: (out: unknown) => void) => void;
      /** Default: one state, which is the context itself. */
      readonly states?: StateDeclarations;
      /** Whether its states are of the subtask, the same for all records. Only with `states`. Default false. */
      readonly isOfSubtask?: boolean;
      /** Called for a timer of a key. Only with `states`. */
      readonly onTimer?: (
        atMs: number,
        context: StatefulProcessContext<never, never>,
        emit: (out: unknown) => void,
      ) => void;
    } & MayReject);

/** Merges accumulators of one key, which it must not change: they may be read again. */
export interface AccumulatorMerge {
  /** A new accumulator from the first one. */
  readonly first: (other: never) => unknown;
  /** Returns the next accumulator; may change and return its first argument, which is not shared. */
  readonly next: (accumulator: never, other: never) => unknown;
}

/** An operator that may reject the records at which its functions fail. */
interface MayReject {
  /** undefined: an error fails the task. */
  readonly errors?: ErrorHandling | undefined;
}

/** How records are assigned to the subpartitions of an edge. */
export type Partitioning =
  /** To the consumer(s) that the pointwise pattern names; round robin among several. */
  | { readonly kind: 'forward' }
  /** Round robin over all consumers, starting at the producer's own index. */
  | { readonly kind: 'rebalance' }
  | { readonly kind: 'broadcast' }
  /** By hash of the key: the same key always goes to the same consumer. */
  | ({
      readonly kind: 'hash';
      /**
       * Whether a record for which the key function fails goes to the first consumer: the operator there calls it too, and
       * rejects the record.
       */
      readonly passesErrors?: boolean;
    } & KeyDeclaration);

/** The program of a subtask: an input, a chain of operators, and outputs. */
export interface VertexProgram {
  /** undefined: reads an input gate over all incoming edges. */
  readonly source: Source<unknown> | undefined;
  readonly operators: readonly OperatorDescription[];
  /** Parallel to the vertex' outgoing edges in the job graph. */
  readonly outputs: readonly { readonly edge: number; readonly partitioning: Partitioning }[];
  readonly sink: Sink<unknown> | undefined;
  /** Why a subtask may hand on other records, or another order, the next time; undefined if it does not. */
  readonly orderFault?: string | undefined;
}
