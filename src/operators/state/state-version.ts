import { StateMigrationError, StateVersionError } from '../../errors/state-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { packedBy, type StateSerializer } from './state-codec.ts';
import { refusePromise, isThenable } from '../../user-code.ts';

/** An answer of a {@link StandardSchema}. */
type SchemaAnswer<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** The part of a [Standard Schema](https://standardschema.dev) that is used. Those of Zod, Valibot and ArkType have it. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaAnswer<Output> | Promise<SchemaAnswer<Output>>;
  };
}

/** How the values of a state are read that were kept by an earlier version of the code. */
export interface StateVersioning<Stored = unknown> {
  /** Version of the form of its values, an integer ≥ 1, which is kept with each. Default: 1. */
  readonly version?: number | undefined;
  /**
   * Makes a value of now from one of an earlier `version`; called once for each, when it is first used. Of a list: for
   * each item; of a map: for each value; of an aggregating state: for the accumulator. It may change and return what it
   * was given, which is bytes if that version had a serializer. If it throws, the job fails with a `StateMigrationError`. Default: a value of an earlier version fails the
   * job with a `StateVersionError`.
   */
  readonly migrate?: { of(stored: unknown, version: number): Stored }['of'] | undefined;
  /** Checks what `migrate` returned; what it answers is kept. It must answer synchronously. Default: it is not checked. */
  readonly schema?: StandardSchema<Stored> | undefined;
}

/** Kinds of states. The last two are of subtasks, `list` is of a key or a subtask, the others are of keys. */
export type StateKind = 'value' | 'map' | 'reducing' | 'aggregating' | 'list' | 'union list' | 'broadcast';

/** A state whose content has another version than is declared. */
export interface OldContent {
  readonly kind: StateKind;
  readonly value: unknown;
  /** The version of the content. */
  readonly version: number;
  /** Where it is. */
  readonly state: string;
  readonly operator: string;
  readonly key: unknown;
  readonly nowMs: number;
}

/**
 * The content in the declared version. The old one is as it was if this throws, as far as `migrate` leaves it alone.
 * @throws StateVersionError | StateMigrationError
 */
export function migrated(
  content: OldContent,
  {
    version: declared = 1,
    migrate,
    schema,
    serializer,
  }: StateVersioning & { readonly serializer?: StateSerializer | undefined },
): unknown {
  const { kind, value, version, state, operator, key, nowMs } = content;
  if (migrate === undefined || version > declared) throw new StateVersionError(operator, state, version, declared);
  const one = (stored: unknown): unknown => {
    const answer = migrate(stored, version);
    if (isThenable(answer)) refusePromise(`result of migrate of ${state}`, answer, 'a value');
    const now = schema === undefined ? answer : checkedBy(schema, answer, state);
    return serializer === undefined ? now : packedBy(serializer, now, state);
  };
  try {
    if (kind === 'list' || kind === 'union list') return (value as readonly unknown[]).map(one);
    if (kind === 'map' || kind === 'broadcast') return migratedMap(value as ReadonlyMap<unknown, MapEntry>, one, nowMs);
    return one(value);
  } catch (thrown) {
    throw new StateMigrationError({ operator, state, key, from: version, to: declared }, toError(thrown));
  }
}

type MapEntry = readonly [value: unknown, untilMs?: number];

function migratedMap(
  map: ReadonlyMap<unknown, MapEntry>,
  one: (stored: unknown) => unknown,
  nowMs: number,
): Map<unknown, MapEntry> {
  const entries = new Map<unknown, MapEntry>();
  for (const [name, [value, untilMs]] of map) {
    if (untilMs === undefined) entries.set(name, [one(value)]);
    else if (untilMs > nowMs) entries.set(name, [one(value), untilMs]);
  }
  return entries;
}

function checkedBy(schema: StandardSchema, value: unknown, state: string): unknown {
  const answer = schema['~standard'].validate(value);
  if (isThenable(answer)) refusePromise(`answer of the schema of ${state}`, answer, 'an answer at once');
  const { issues } = answer as SchemaAnswer<unknown>;
  if (issues === undefined) return (answer as { readonly value: unknown }).value;
  const found = issues.map(({ message, path = [] }) => {
    const names = path.map((part) => String(typeof part === 'object' ? part.key : part));
    return names.length === 0 ? message : `${names.join('.')}: ${message}`;
  });
  throw new Error(`the schema refuses what \`migrate\` returned: ${found.join('; ')}`);
}
