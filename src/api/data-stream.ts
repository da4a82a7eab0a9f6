import type { OperatorFunction } from 'rxjs';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import type { AsyncCallContext, AsyncMapOptions } from '../operators/operator-description.ts';
import type { KeyDeclaration } from '../operators/identity/step-declaration.ts';
import type { Sink } from '../operators/sink.ts';
import type { RejectOptions } from '../operators/rejected/on-error.ts';
import { checkOptions } from '../options.ts';
import {
  type Aggregation,
  aggregationFold,
  callsPerKey,
  type Key,
  type KeyedAsyncMapOptions,
  type KeyedProcess,
  type ProcessOptions,
  processOperator,
  reductionFold,
  type StatefulProcess,
} from './keyed-functions.ts';
import type { StateDeclarations } from '../operators/state/declared-states.ts';
import { declareKey } from './step-declarations.ts';
import { checkRecordFunction, type MaybeAsync, pipeOperator, type UseMapAsync } from './record-function.ts';
import { type SubtaskProcess, subtaskProcessOperator } from './subtask-functions.ts';
import {
  callOf,
  type FoldOptions,
  foldOptionNames,
  mapAsyncOptionNames,
  type SinkOptions,
  sinkOptionNames,
  type ReduceOptions,
  type StreamEnd,
} from './stream-end.ts';
import type { ExchangeOptions, KeyOptions, OperatorOptions, RecordOptions, ThroughOptions } from './stream-graph.ts';

/** The record type of a stream: `RecordOf<DataStream<Flight>>` is `Flight`. */
export type RecordOf<Stream> = Stream extends DataStream<infer Record> ? Record : never;

/**
 * A stream of records of one type in a job. Every method adds a step and returns a new stream. Each step that uses a
 * stream reads all of it. Every stream must end in a sink.
 *
 * Neighboring steps of equal parallelism run in one task, as one loop ("chained"), unless the stream has several
 * consumers, comes from a union, or names its exchange. If the parallelism changes and no partitioning is given,
 * records are rebalanced.
 *
 * Functions run again when their task restarts, so they must not keep state outside the engine and must not change
 * their input records.
 *
 * @example
 * ```ts
 * import { Job, fromIterable, collect } from 'kintsugi';
 *
 * const job = Job.create('lengths');
 * const lengths = collect<number>();
 * job.source('words', fromIterable(['gold', 'lacquer', 'dust']))
 *    .filter((word) => word.length > 4)
 *    .map((word) => word.length)
 *    .sink('lengths', lengths);
 * ```
 */
export class DataStream<out Out> {
  readonly #end: StreamEnd;

  /** @internal Streams come from `job.source` and from other streams. */
  constructor(end: StreamEnd) {
    this.#end = end;
  }

  /** A function that returns promises: use {@link mapAsync}. */
  map<Result extends PromiseLike<unknown>>(
    fn: (record: Out) => Result,
    options?: RecordOptions<Out, NoInfer<Result>>,
  ): UseMapAsync<Result, DataStream<Result>>;
  /**
   * Emits one record per record.
   *
   * @example
   * ```ts
   * import { Job, fromIterable, collect } from 'kintsugi';
   *
   * Job.create('double')
   *   .source('numbers', fromIterable([1, 2, 3]))
   *   .map((n) => n * 2, { uid: 'double' })
   *   .sink('doubled', collect<number>());
   * ```
   */
  map<Result>(fn: (record: Out) => Result, options?: RecordOptions<Out, NoInfer<Result>>): DataStream<Result>;
  map<Result>(
    fn: (record: Out) => Result,
    options: RecordOptions<Out, NoInfer<Result>> = {},
  ): UseMapAsync<Result, DataStream<Result>> | DataStream<Result> {
    const operator = { kind: 'map', fn: checkRecordFunction('map', fn) } as const;
    return new DataStream<Result>(this.#end.operator('map', operator, options));
  }

  /** Emits the records for which `predicate` is true. A type guard narrows the stream. */
  filter<Kept extends Out>(
    predicate: (record: Out) => record is Kept,
    options?: OperatorOptions & RejectOptions<Out>,
  ): DataStream<Kept>;
  filter(predicate: (record: Out) => boolean, options?: RecordOptions<Out, boolean>): DataStream<Out>;
  filter(predicate: (record: Out) => boolean, options: RecordOptions<Out, boolean> = {}): DataStream<Out> {
    const operator = { kind: 'filter', predicate: checkRecordFunction('filter', predicate) } as const;
    return new DataStream(this.#end.operator('filter', operator, options));
  }

  /** A function that returns promises: use {@link mapAsync}. */
  flatMap<Result extends PromiseLike<unknown>>(
    fn: (record: Out) => Iterable<Result>,
    options?: RecordOptions<Out, Iterable<NoInfer<Result>>>,
  ): UseMapAsync<Result, DataStream<Result>>;
  /** Emits any number of records per record. */
  flatMap<Result>(
    fn: (record: Out) => Iterable<Result>,
    options?: RecordOptions<Out, Iterable<NoInfer<Result>>>,
  ): DataStream<Result>;
  flatMap<Result>(
    fn: (record: Out) => Iterable<Result>,
    options: RecordOptions<Out, Iterable<NoInfer<Result>>> = {},
  ): UseMapAsync<Result, DataStream<Result>> | DataStream<Result> {
    const generates = checkRecordFunction('flatMap', fn, { mayGenerate: true });
    return new DataStream<Result>(this.#end.operator('flatMap', { kind: 'flatMap', fn: generates }, options));
  }

  /**
   * Emits one record per record, from an asynchronous call. Several calls run at once; results keep the input order
   * unless `ordered: false`.
   *
   * @example
   * ```ts
   * import { Job, fromIterable, collect } from 'kintsugi';
   *
   * const fetchPrice = async (id: string, signal: AbortSignal) => (signal.aborted ? 0 : id.length);
   *
   * Job.create('prices')
   *   .source('ids', fromIterable(['a1', 'b22']))
   *   .mapAsync((id, { signal }) => fetchPrice(id, signal), { concurrency: 8, timeoutMs: 5_000, retries: 3 })
   *   .sink('prices', collect<number>());
   * ```
   */
  mapAsync<Result>(
    fn: (record: Out, context: AsyncCallContext) => Result,
    options: AsyncMapOptions<Out> & RecordOptions<Out, NoInfer<MaybeAsync<Result>>> = {},
  ): DataStream<Awaited<Result>> {
    return new DataStream<Awaited<Result>>(this.#end.mapAsync(fn, options));
  }

  /** A function that returns promises: use {@link mapAsync}. */
  through<Result extends PromiseLike<unknown>>(
    operator: OperatorFunction<Out, Result>,
    options?: ThroughOptions,
  ): UseMapAsync<Result, DataStream<Result>>;
  /**
   * Passes the records through RxJS operators. Each attempt of each subtask subscribes once. State inside the pipe (a
   * buffer, a debounce) is lost when the task restarts and rebuilt from the replayed input; a job with checkpoints can have
   * only pipes that are declared `stateless`.
   *
   * @example
   * ```ts
   * import { pairwise } from 'rxjs';
   * import { Job, fromIterable, collect } from 'kintsugi';
   *
   * Job.create('differences')
   *   .source('numbers', fromIterable([1, 4, 9]))
   *   .through(pairwise())
   *   .map(([before, after]) => after - before)
   *   .sink('differences', collect<number>());
   * ```
   */
  through<Result>(operator: OperatorFunction<Out, Result>, options?: ThroughOptions): DataStream<Result>;
  through<Result>(
    operator: OperatorFunction<Out, Result>,
    options: ThroughOptions = {},
  ): UseMapAsync<Result, DataStream<Result>> | DataStream<Result> {
    return new DataStream<Result>(this.#end.operator('through', pipeOperator(operator, options), options));
  }

  /**
   * Handles each record with states of the subtask, for what does not belong to a key: a buffer, rules that every subtask
   * knows. TypeScript cannot infer the type of `emit`: annotate the parameters.
   */
  process<States extends StateDeclarations, Result>(
    process: SubtaskProcess<Out, States, Result>,
    options: ProcessOptions<Out> = {},
  ): DataStream<Result> {
    return new DataStream(this.#end.operator('process', subtaskProcessOperator(process as never), options));
  }

  /**
   * Sends all records with the same key to the same subtask. Follow it with `reduce`, `aggregate` or `process`.
   *
   * At parallelism 1 on both sides the steps are chained, unless the exchange is named.
   */
  keyBy<Of extends Key>(keyOf: (record: Out) => Of, options: KeyOptions = {}): KeyedStream<Out, Of> {
    checkRecordFunction('keyBy', keyOf);
    const key = declareKey(keyOf, options);
    return new KeyedStream(this.#end.distributed({ kind: 'hash', ...key }, options), key);
  }

  /** Merges this stream with others of the same job, in no particular order. */
  union<Others extends readonly DataStream<unknown>[]>(...others: Others): DataStream<Out | RecordOf<Others[number]>> {
    const ends = (others as readonly DataStream<unknown>[]).map((other) => {
      if (!(other instanceof DataStream)) throw new InvalidArgumentError('union', other, 'streams of the same job');
      return other.#end;
    });
    return new DataStream(this.#end.union(ends));
  }

  /** Distributes the records round-robin over all subtasks of the next operator. */
  rebalance(options: ExchangeOptions = {}): DataStream<Out> {
    return new DataStream(this.#end.distributed({ kind: 'rebalance' }, options));
  }

  /** Sends every record to every subtask of the next operator. */
  broadcast(options: ExchangeOptions = {}): DataStream<Out> {
    return new DataStream(this.#end.distributed({ kind: 'broadcast' }, options));
  }

  /**
   * Keeps the records of a subtask together: subtask *n* feeds subtask *n* of the next operator, which must have the
   * same parallelism. If the exchange is named, the two run in separate tasks.
   */
  forward(options: ExchangeOptions = {}): DataStream<Out> {
    return new DataStream(this.#end.distributed({ kind: 'forward' }, options));
  }

  /** Ends the stream: its records go to `sink`. The name is the sink's uid. */
  sink(name: string, sink: Sink<Out>, options: SinkOptions = {}): void {
    if (typeof sink?.open !== 'function') throw new InvalidArgumentError(`sink "${name}"`, sink, 'a sink');
    checkOptions(`sink "${name}"`, options, sinkOptionNames);
    this.#end.sink({ kind: 'sink', sink }, { ...options, uid: name });
  }
}

/**
 * A stream partitioned by key. Each method processes the records of a key in the order of their arrival.
 *
 * @example
 * ```ts
 * import { Job, fromIterable, collect } from 'kintsugi';
 *
 * const flights = [
 *   { origin: 'OSL', delay: 4 },
 *   { origin: 'TRD', delay: 9 },
 *   { origin: 'OSL', delay: 7 },
 * ];
 * Job.create('delays')
 *   .source('flights', fromIterable(flights))
 *   .keyBy((flight) => flight.origin)
 *   .aggregate({
 *     create: () => ({ count: 0, sum: 0 }),
 *     add: (total, flight) => ({ count: total.count + 1, sum: total.sum + flight.delay }),
 *     result: (total, origin) => ({ origin, mean: total.sum / total.count }),
 *   })
 *   .sink('means', collect<{ origin: string; mean: number }>());
 * ```
 */
export class KeyedStream<out Out, out Of extends Key> {
  readonly #end: StreamEnd;
  readonly #key: KeyDeclaration;

  /** @internal Keyed streams come from `keyBy`. */
  constructor(end: StreamEnd, key: KeyDeclaration) {
    this.#end = end;
    this.#key = key;
  }

  /** Combines the records of a key pairwise. `combine` must not change its arguments. */
  reduce(combine: (reduced: Out, record: Out) => Out, options: ReduceOptions<Out> = {}): DataStream<Out> {
    checkOptions(callOf('reduce', options), options, { ...foldOptionNames, merge: true });
    const { merge, ...others } = options;
    return new DataStream(this.#end.fold('reduce', reductionFold(this.#key, combine, merge), others));
  }

  /** Functions that return promises: use `mapAsync` before or after. */
  aggregate<Accumulator extends PromiseLike<unknown>, Result>(
    aggregation: Aggregation<Out, Of, Accumulator, Result>,
    options?: FoldOptions<Out>,
  ): UseMapAsync<Accumulator, DataStream<Result>>;
  /** Functions that return promises: use `mapAsync` before or after. */
  aggregate<Accumulator, Result extends PromiseLike<unknown>>(
    aggregation: Aggregation<Out, Of, Accumulator, Result>,
    options?: FoldOptions<Out>,
  ): UseMapAsync<Result, DataStream<Result>>;
  /**
   * Folds the records of a key into a result of another type. If the accumulator's type is wider than the value that
   * `create` returns, annotate it there: `create: () => new Map<string, number>()`.
   */
  aggregate<Accumulator, Result>(
    aggregation: Aggregation<Out, Of, Accumulator, Result>,
    options?: FoldOptions<Out>,
  ): DataStream<Result>;
  aggregate<Accumulator, Result>(
    aggregation: Aggregation<Out, Of, Accumulator, Result>,
    options: FoldOptions<Out> = {},
  ): UseMapAsync<Result, DataStream<Result>> | DataStream<Result> {
    return new DataStream(this.#end.fold('aggregate', aggregationFold(this.#key, aggregation), options));
  }

  /**
   * `mapAsync` with all records of a key in one subtask, so `concurrencyPerKey` may be just the number of calls under
   * way per key. The result is not keyed.
   */
  mapAsync<Result>(
    fn: (record: Out, context: AsyncCallContext) => Result,
    options: KeyedAsyncMapOptions<Out, NoInfer<MaybeAsync<Result>>> = {},
  ): DataStream<Awaited<Result>> {
    checkOptions(callOf('mapAsync', options), options, mapAsyncOptionNames);
    return new DataStream<Awaited<Result>>(this.#end.mapAsync(fn, callsPerKey(this.#key, options), this.#key.keyOf));
  }

  /**
   * Handles each record with state per key. TypeScript cannot infer the type of `emit`: annotate the parameters or give
   * both types, `process<State, Out>(…)`.
   *
   * @example
   * ```ts
   * import { Job, fromIterable, collect } from 'kintsugi';
   *
   * Job.create('firsts')
   *   .source('words', fromIterable(['gold', 'glue', 'dust']))
   *   .keyBy((word) => word.charAt(0))
   *   .process<true, string>({
   *     onRecord: (word, seen, emit) => {
   *       if (seen.get() === undefined) emit(word);
   *       seen.set(true);
   *     },
   *   })
   *   .sink('firsts', collect<string>());
   * ```
   */
  process<State, Result>(
    process: KeyedProcess<Out, Of, State, Result>,
    options?: ProcessOptions<Out>,
  ): DataStream<Result>;
  /** Handles each record with several states per key, by name, and with timers. */
  process<States extends StateDeclarations, Result>(
    process: StatefulProcess<Out, Of, States, Result>,
    options?: ProcessOptions<Out>,
  ): DataStream<Result>;
  process<Result>(process: never, options: ProcessOptions<Out> = {}): DataStream<Result> {
    const operator = processOperator(this.#key, process);
    return new DataStream(this.#end.operator('process', operator, options, this.#key));
  }
}
