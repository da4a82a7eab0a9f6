import { InvalidArgumentError } from '../errors/usage-errors.ts';
import type { KeyDeclaration } from '../operators/identity/step-declaration.ts';
import { checkInteger, checkMilliseconds, checkOptions } from '../options.ts';
import { checkRecordFunction } from './record-function.ts';
import type { Fold } from './stream-end.ts';
import type {
  AsyncMapOptions,
  KeyConcurrency,
  KeyedProcessContext,
  OperatorDescription,
  StatefulProcessContext,
} from '../operators/operator-description.ts';
import type { StateDeclaration, StateDeclarations } from '../operators/state/declared-states.ts';
import type { StateVersioning } from '../operators/state/state-version.ts';
import { hasMethods, propertiesOf } from '../foreign-value.ts';
import type { RejectOptions } from '../operators/rejected/on-error.ts';
import type { OperatorOptions, RecordOptions } from './stream-graph.ts';

/**
 * The type of a key, which is compared by value. For several fields, build one string: `` `${f.origin}/${f.day}` ``.
 */
export type Key = string | number | bigint | boolean | null | undefined;

/** Functions that fold the records of a key into a result. */
export interface Aggregation<Record, Of, Accumulator, Result> {
  /** A new, empty accumulator. */
  readonly create: () => Accumulator;
  /** Adds a record. Returns the next accumulator; it may change and return the one it was given. */
  readonly add: (accumulator: Accumulator, record: Record) => NoInfer<Accumulator>;
  /** The value to emit. If `add` changes its accumulator in place, this must be a new value. */
  readonly result: (accumulator: Accumulator, key: Of) => Result;
  /**
   * Merges another accumulator of the same key into the first one, which it may change and return; it must not change the
   * other. The result must be the same however the records of a key are divided among accumulators, and in whatever order
   * these are merged; an accumulator from `create` changes nothing.
   *
   * Declares that records may be folded before the shuffle: with `emit: 'final'`, each producer folds what it has of a key,
   * and sends accumulators (which are plain data then) instead of records. Not with `onError`, nor if the stream has other
   * consumers.
   */
  readonly merge?: ((accumulator: Accumulator, other: Accumulator) => NoInfer<Accumulator>) | undefined;
}

/** A function with a state per key, for what `reduce` and `aggregate` cannot say. */
export interface KeyedProcess<Record, Of, State, Out> {
  readonly onRecord: (record: Record, context: KeyedProcessContext<Of, State>, emit: (out: Out) => void) => void;
  /** Called when the input has ended, once per key that has a state. */
  readonly onEnd?: ((context: KeyedProcessContext<Of, State>, emit: (out: Out) => void) => void) | undefined;
  readonly states?: undefined;
  readonly onTimer?: undefined;
}

/** A function with states by name, and timers, per key. */
export interface StatefulProcess<Record, Of, States extends StateDeclarations, Out> {
  /** Made by `valueState`, `listState`, `mapState`, `reducingState` and `aggregatingState`. */
  readonly states: States;
  readonly onRecord: (record: Record, context: StatefulProcessContext<Of, States>, emit: (out: Out) => void) => void;
  /** Called at the time of a timer that was set with `context.setTimer`. Not after the input has ended. */
  readonly onTimer?:
    | ((atMs: number, context: StatefulProcessContext<Of, States>, emit: (out: Out) => void) => void)
    | undefined;
  /** Called when the input has ended, once per key that has a state. */
  readonly onEnd?: ((context: StatefulProcessContext<Of, States>, emit: (out: Out) => void) => void) | undefined;
}

/** Options of `process`. */
export type ProcessOptions<Record> = OperatorOptions & RejectOptions<Record>;

type Process = OperatorDescription & { readonly kind: 'process' };

/** The operator of a `process`. @throws InvalidArgumentError for what is not a function, or awaits, or is no state */
export function processOperator(
  { keyOf }: KeyDeclaration,
  process: KeyedProcess<never, never, never, never> | StatefulProcess<never, never, StateDeclarations, never>,
): Process {
  checkOptions('process', process, { onRecord: true, onEnd: true, onTimer: true, states: true });
  const { onRecord, onEnd, onTimer, states } = process;
  checkRecordFunction('onRecord of process', onRecord);
  if (onEnd !== undefined) checkRecordFunction('onEnd of process', onEnd);
  if (onTimer !== undefined) checkRecordFunction('onTimer of process', onTimer);
  if (states === undefined && onTimer !== undefined) {
    throw new InvalidArgumentError('onTimer of process', onTimer, 'nothing, unless `states` is given (it may be {})');
  }
  for (const [name, state] of Object.entries(states ?? {})) checkKeyedState(`states.${name} of process`, state);
  const given = { ...(onEnd && { onEnd }), ...(onTimer && { onTimer }), ...(states && { states }) };
  return { kind: 'process', keyOf, onRecord, ...given } as Process;
}

function checkKeyedState(what: string, state: StateDeclaration): void {
  const expected = 'valueState(), listState(), mapState(), reducingState() or aggregatingState()';
  checkState(what, state, ['value', 'list', 'map', 'reducing', 'aggregating'], expected);
}

/** @param kinds those that it may have @param expected in words */
export function checkState(
  what: string,
  state: StateDeclaration,
  kinds: readonly StateDeclaration['kind'][],
  expected: string,
): void {
  if (!hasMethods(state, 'open') || !kinds.includes(state.kind)) throw new InvalidArgumentError(what, state, expected);
  const { ttlMs, serializer, functions = {} } = state;
  if (serializer !== undefined && !hasMethods(serializer, 'pack', 'unpack')) {
    throw new InvalidArgumentError(`serializer of ${what}`, serializer, 'an object with the functions pack and unpack');
  }
  if (ttlMs !== undefined) checkMilliseconds(`ttlMs of ${what}`, ttlMs);
  checkVersioning(what, state);
  for (const [name, fn] of Object.entries(functions)) checkRecordFunction(`${name} of ${what}`, fn);
}

function checkVersioning(what: string, { version = 1, migrate, schema }: StateVersioning): void {
  checkInteger(`version of ${what}`, version, 1, Number.MAX_SAFE_INTEGER);
  if (migrate !== undefined) {
    checkRecordFunction(`migrate of ${what}`, migrate);
    if (version === 1) {
      throw new InvalidArgumentError(`migrate of ${what}`, migrate, 'nothing, unless `version` is 2 or more');
    }
  }
  if (schema === undefined) return;
  if (migrate === undefined) {
    throw new InvalidArgumentError(`schema of ${what}`, schema, 'nothing, unless `migrate` is given');
  }
  if (!hasMethods(propertiesOf(schema, '~standard')['~standard'], 'validate')) {
    throw new InvalidArgumentError(
      `schema of ${what}`,
      schema,
      'a Standard Schema, as those of Zod, Valibot and ArkType',
    );
  }
}

/** Options of `mapAsync` after `keyBy`. */
export interface KeyedAsyncMapOptions<In, Answer = unknown>
  extends Omit<AsyncMapOptions<In>, 'concurrencyPerKey'>,
    RecordOptions<In, Answer> {
  /** Maximum number of calls under way per key: the key of `keyBy`, or another one. Default: no limit. */
  readonly concurrencyPerKey?: number | KeyConcurrency<In> | undefined;
}

/** Options of `mapAsync` for records with a key, which limits the calls under way unless another one is given. */
export function callsPerKey<In, Answer>(
  { keyOf }: KeyDeclaration,
  { concurrencyPerKey: limit, ...others }: KeyedAsyncMapOptions<In, Answer>,
): AsyncMapOptions<In> & RecordOptions<In, Answer> {
  if (limit === undefined) return others;
  const key = keyOf as KeyConcurrency<In>['key'];
  return { ...others, concurrencyPerKey: typeof limit === 'number' ? { key, limit } : limit };
}

/** The fold of an `aggregate`. @throws InvalidArgumentError for what is not a function, or awaits */
export function aggregationFold<Record, Of, Accumulator, Result>(
  key: KeyDeclaration,
  aggregation: Aggregation<Record, Of, Accumulator, Result>,
): Fold {
  checkOptions('aggregate', aggregation, { create: true, add: true, result: true, merge: true });
  const { create, add, result, merge } = aggregation;
  checkRecordFunction('create of aggregate', create);
  checkRecordFunction('add of aggregate', add);
  checkRecordFunction('result of aggregate', result);
  if (merge !== undefined) checkRecordFunction('merge of aggregate', merge);
  return {
    key,
    functions: { create, add, result, ...(merge && { merge }) },
    create: (record: Record) => add(create(), record),
    add,
    result,
    ...(merge && { merge: { first: (other: Accumulator) => merge(create(), other), next: merge } }),
  };
}

/** The fold of a `reduce`. @throws InvalidArgumentError for what is not a function, or awaits */
export function reductionFold<Record>(
  key: KeyDeclaration,
  combine: (reduced: Record, record: Record) => Record,
  merge = false,
): Fold {
  checkRecordFunction('reduce', combine);
  if (typeof merge !== 'boolean') throw new InvalidArgumentError('merge of reduce', merge, 'true or false');
  return {
    key,
    functions: { function: combine, ...(merge && { merge: combine }) },
    create: (record: Record) => record,
    add: combine,
    result: (reduced: Record) => reduced,
    ...(merge && { merge: { first: (other: Record) => other, next: combine } }),
  };
}
