import { InvalidArgumentError, JobValidationError } from '../errors/usage-errors.ts';
import { propertyOf } from '../foreign-value.ts';
import { checkAsyncMapOptions } from '../operators/calls/async-map-options.ts';
import type { KeyDeclaration, StepDeclaration } from '../operators/identity/step-declaration.ts';
import type {
  AccumulatorMerge,
  AsyncMapOptions,
  OperatorDescription,
  Partitioning,
} from '../operators/operator-description.ts';
import {
  type ErrorOptions,
  errorHandlingOf,
  errorOptionNames,
  refuseErrorOptions,
  type RejectOptions,
} from '../operators/rejected/on-error.ts';
import { checkFunction, checkOptions, type OptionNames } from '../options.ts';
import { checkExchange } from './exchange.ts';
import { declareFold, declareOperator, declareSink } from './step-declarations.ts';
import {
  type ExchangeOptions,
  type OperatorOptions,
  type StreamGraph,
  type StreamInput,
  type StreamStep,
  type ThroughOptions,
  withPartitioning,
} from './stream-graph.ts';

type AsyncMap = Extract<OperatorDescription, { readonly kind: 'asyncMap' }>;

/** Options of operators that fold the records of a key. */
export interface FoldOptions<In = never> extends OperatorOptions, RejectOptions<In> {
  /**
   * `final`: one result per key, when the input has ended (default of batch jobs). `updates`: one per record (default of
   * streaming jobs).
   */
  readonly emit?: 'final' | 'updates' | undefined;
}

/** Options of `reduce`. */
export interface ReduceOptions<In = never> extends FoldOptions<In> {
  /**
   * Declares that the function may combine what was combined elsewhere: that the result is the same however the records of a
   * key are grouped, and in whatever order. With `emit: 'final'`, each producer then combines what it has of a key before the
   * shuffle. Not with `onError`, nor if the stream has other consumers. Default: false.
   */
  readonly merge?: boolean | undefined;
}

/** Options of a sink. */
export type SinkOptions = Omit<OperatorOptions, 'uid' | 'deterministic'>;

/** Functions that fold records by key, as operators call them. */
export interface Fold {
  readonly key: KeyDeclaration;
  /** The functions as the user wrote them, by name. */
  readonly functions: Readonly<Record<string, unknown>>;
  readonly create: (record: never) => unknown;
  readonly add: (accumulator: never, record: never) => unknown;
  readonly result: (accumulator: never, key: never) => unknown;
  /** undefined: accumulators cannot be merged. */
  readonly merge?: AccumulatorMerge | undefined;
}

/** The end of a stream under construction: where the next step is added. It never changes. */
export class StreamEnd {
  readonly #graph: StreamGraph;
  readonly #inputs: readonly StreamInput[];

  constructor(graph: StreamGraph, inputs: readonly StreamInput[]) {
    this.#graph = graph;
    this.#inputs = inputs;
  }

  /**
   * Adds a `mapAsync`. `keyOf` is the key function of a keyed stream.
   * @throws InvalidArgumentError for an option that it does not have, or out of range
   */
  mapAsync(
    fn: AsyncMap['fn'],
    options: AsyncMapOptions & OperatorOptions & ErrorOptions<never, unknown>,
    keyOf?: KeyDeclaration['keyOf'],
  ): StreamEnd {
    checkOptions(callOf('mapAsync', options), options, mapAsyncOptionNames);
    checkAsyncMapOptions(typeof options.uid === 'string' ? options.uid : 'mapAsync', options);
    checkFunction('mapAsync', fn);
    return this.operator(
      'mapAsync',
      { kind: 'asyncMap', fn, options: { ...options }, ...(keyOf && { keyOf }) },
      options,
    );
  }

  /** Adds an operator; `mapAsync` checks its options itself. @throws InvalidArgumentError for an option that it does not have. */
  operator(
    method: string,
    operator: Exclude<OperatorDescription, { readonly kind: 'aggregate' }>,
    options: OperatorOptions & ErrorOptions<never, unknown>,
    key?: KeyDeclaration,
  ): StreamEnd {
    const call = callOf(method, options);
    if (operator.kind === 'pipe') refuseErrorOptions(call, options);
    if (operator.kind !== 'asyncMap') checkOptions(call, options, optionNamesOf(operator.kind));
    const errors = errorHandlingOf(call, options, { mayReplace: operator.kind !== 'process' });
    const described = errors === undefined ? operator : ({ ...operator, errors } as typeof operator);
    const declaration = declareOperator(method, described, options, key);
    return this.#after(method, { kind: 'operator', operator: described }, declaration, options);
  }

  /** Adds a fold by key. @throws InvalidArgumentError for an option that it does not have. */
  fold(method: string, fold: Fold, options: FoldOptions): StreamEnd {
    const call = callOf(method, options);
    checkOptions(call, options, foldOptionNames);
    const errors = errorHandlingOf(call, options, { mayReplace: false });
    const emit = options.emit ?? (this.#graph.mode === 'batch' ? 'final' : 'updates');
    if (emit !== 'final' && emit !== 'updates') {
      throw new InvalidArgumentError(`emit of ${method}`, emit, '"final" or "updates"');
    }
    const { key, functions, create, add, result, merge } = fold;
    const folded = { create, add, result, emit, ...(merge && { merge }), ...(errors && { errors }) } as const;
    const declaration = declareFold(method, functions, folded, options, key);
    const operator = { kind: 'aggregate', keyOf: key.keyOf, ...folded } as const;
    return this.#after(method, { kind: 'operator', operator }, declaration, options);
  }

  /** Adds a sink: nothing comes after it. */
  sink(step: StreamStep & { readonly kind: 'sink' }, options: OperatorOptions): void {
    this.#graph.add('sink', step, declareSink(step.sink, options), this.#inputs, options);
  }

  /** Determines how records travel to the next operator. */
  distributed(partitioning: Partitioning, options: ExchangeOptions): StreamEnd {
    const call = partitioning.kind === 'hash' ? 'keyBy' : partitioning.kind;
    if (partitioning.kind !== 'hash') checkOptions(call, options, { exchange: true });
    const exchange = checkExchange(`exchange of ${call}`, options.exchange);
    const inputs = this.#inputs.map((input) => withPartitioning(input, partitioning, exchange));
    return new StreamEnd(this.#graph, inputs);
  }

  /** This end and others as one. @throws JobValidationError for one of another job. */
  union(others: readonly StreamEnd[]): StreamEnd {
    for (const other of others) {
      if (other.#graph === this.#graph) continue;
      const [mine, theirs] = [namesOf(this.#inputs), namesOf(other.#inputs)];
      throw new JobValidationError(
        [...mine, ...theirs],
        `The union of "${mine.join('", "')}" with "${theirs.join('", "')}" mixes the jobs "${this.#graph.name}" and "${other.#graph.name}"`,
        'Build both streams from the same job, or write one to a sink that the other job reads',
      );
    }
    return new StreamEnd(
      this.#graph,
      [this, ...others].flatMap((end) => end.#inputs),
    );
  }

  #after(method: string, step: StreamStep, declaration: StepDeclaration, options: OperatorOptions): StreamEnd {
    const from = this.#graph.add(method, step, declaration, this.#inputs, options);
    return new StreamEnd(this.#graph, [{ from, partitioning: undefined, exchange: undefined }]);
  }
}

const operatorOptionNames: OptionNames<OperatorOptions> = {
  uid: true,
  parallelism: true,
  deterministic: true,
  exchange: true,
  slotSharingGroup: true,
  coLocationGroup: true,
  version: true,
  inputs: true,
};

function optionNamesOf(kind: OperatorDescription['kind']): OptionNames<ThroughOptions & ErrorOptions<never, never>> {
  const names = { ...operatorOptionNames, ...errorOptionNames };
  return (kind === 'pipe' ? { ...names, stateless: true } : names) as ReturnType<typeof optionNamesOf>;
}

/** What sinks may be told. */
export const sinkOptionNames: OptionNames<SinkOptions> = {
  parallelism: true,
  exchange: true,
  slotSharingGroup: true,
  coLocationGroup: true,
  version: true,
  inputs: true,
};

/** What folds may be told. */
export const foldOptionNames: OptionNames<FoldOptions> = { ...operatorOptionNames, ...errorOptionNames, emit: true };

/** What `mapAsync` may be told. */
export const mapAsyncOptionNames: OptionNames<AsyncMapOptions & OperatorOptions & ErrorOptions<never, never>> = {
  ...operatorOptionNames,
  ...errorOptionNames,
  concurrency: true,
  ordered: true,
  timeoutMs: true,
  retries: true,
  retryDelayMs: true,
  retryIf: true,
  maxRetryAfterMs: true,
  rateLimit: true,
  concurrencyPerKey: true,
  remember: true,
};

/** The name of a call in messages: `mapAsync "embed"`. */
export function callOf(method: string, options: OperatorOptions): string {
  const uid = propertyOf(options, 'uid');
  return typeof uid === 'string' ? `${method} "${uid}"` : method;
}

function namesOf(inputs: readonly StreamInput[]): string[] {
  return inputs.map((input) => input.from.uid);
}
