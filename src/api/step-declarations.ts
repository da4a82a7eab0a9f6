import {
  checkVersionOptions,
  type ConnectorDefinition,
  type KeyDeclaration,
  type StepDeclaration,
  type VersionOptions,
} from '../operators/identity/step-declaration.ts';
import type { AsyncMapOptions, OperatorDescription } from '../operators/operator-description.ts';
import type { ErrorHandling } from '../operators/rejected/on-error.ts';
import type { Sink } from '../operators/sink.ts';
import type { Source } from '../operators/source.ts';
import { checkOptions } from '../options.ts';
import type { KeyOptions } from './stream-graph.ts';

type Operator = Exclude<OperatorDescription, { readonly kind: 'aggregate' }>;

/** An operator other than a fold, as the user wrote it. `key` is the key of a keyed stream. */
export function declareOperator(
  method: string,
  operator: Operator,
  options: VersionOptions,
  key: KeyDeclaration | undefined,
): StepDeclaration {
  const parts = withErrors(operator.errors, partsOf(operator));
  return { role: 'operator', kind: method, ...parts, ...versionOf(options), key };
}

/** A fold by key, as the user wrote it. */
export function declareFold(
  method: string,
  functions: ConnectorDefinition['functions'],
  { emit, errors }: { readonly emit: string; readonly errors?: ErrorHandling | undefined },
  options: VersionOptions,
  key: KeyDeclaration,
): StepDeclaration {
  const parts = withErrors(errors, { functions, options: { emit } });
  return { role: 'operator', kind: method, ...parts, ...versionOf(options), key };
}

/** The key function of a `keyBy`. @throws InvalidArgumentError for an option that it does not have. */
export function declareKey(keyOf: KeyDeclaration['keyOf'], options: KeyOptions): KeyDeclaration {
  checkOptions('keyBy', options, { exchange: true, version: true, inputs: true });
  checkVersionOptions('keyBy', options);
  return { keyOf, ...versionOf(options) };
}

/** A source, as the user gave it. */
export function declareSource(source: Source<unknown>, options: VersionOptions): StepDeclaration {
  const { definition = ownDefinition('source', source.name, 'records') } = source;
  return { ...definition, ...withErrors(source.errors, definition), role: 'source', ...versionOf(options) };
}

/** A sink, as the user gave it. */
export function declareSink(sink: Sink<never>, options: VersionOptions): StepDeclaration {
  const { definition = ownDefinition('sink', sink.name, 'destination') } = sink;
  return { ...definition, role: 'sink', ...versionOf(options) };
}

type Parts = Pick<StepDeclaration, 'functions' | 'options' | 'opaque'>;

/**
 * `parts`, and what becomes of a record at which a function fails: that decides about the results too, and about the
 * dead letters.
 */
function withErrors(errors: ErrorHandling | undefined, parts: Parts): Parts {
  if (errors === undefined) return parts;
  const { functions, options, opaque } = parts;
  const { reaction } = errors;
  switch (reaction.kind) {
    case 'skip':
      return { ...parts, options: { ...options, onError: 'skip' } };
    case 'replace':
      return { ...parts, functions: { ...functions, onError: reaction.fn } };
    case 'deadLetter': {
      const letters = deadLetterParts(reaction.sink);
      return {
        functions: { ...functions, ...letters.functions },
        options: { ...options, onError: 'deadLetter', ...letters.options },
        opaque: { ...opaque, ...letters.opaque },
      };
    }
  }
}

/** The sink of an operator's dead letters is a part of the operator. */
function deadLetterParts({ definition }: Sink<unknown>): Parts {
  const why = 'cannot be compared with that of an earlier run: give the operator a version';
  if (definition === undefined) return { opaque: { deadLetter: why } };
  const named = (parts: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> =>
    Object.fromEntries(Object.entries(parts).map(([name, part]) => [`${name} of deadLetter`, part]));
  return {
    functions: named(definition.functions),
    options: { deadLetter: definition.kind, ...named(definition.options) },
  };
}

function partsOf(operator: Operator): Parts {
  switch (operator.kind) {
    case 'map':
    case 'flatMap':
      return { functions: { function: operator.fn } };
    case 'filter':
      return { functions: { function: operator.predicate } };
    case 'asyncMap':
      return { functions: { function: operator.fn }, options: recordOptionsOf(operator.options) };
    case 'pipe':
      // Most are made by RxJS, in which all operators have the same few source texts.
      return {
        opaque: {
          function:
            'cannot be compared, because its source text does not tell one RxJS operator from another: give it a version',
        },
      };
    case 'process':
      return {
        functions: { onRecord: operator.onRecord, onEnd: operator.onEnd, ...statefulPartsOf(operator) },
        options: Object.fromEntries(
          Object.entries(operator.states ?? {}).map(([name, { kind }]) => [`kind of state ${name}`, kind]),
        ),
      };
  }
}

/**
 * For each option of `mapAsync`, whether it decides about the records of a complete result, or their order. All other
 * options decide when calls are made, how often, how many at once, and when they time out.
 */
const decidesRecords: Readonly<Record<keyof AsyncMapOptions, boolean>> = {
  ordered: true,
  concurrency: false,
  timeoutMs: false,
  retries: false,
  retryDelayMs: false,
  retryIf: false,
  maxRetryAfterMs: false,
  rateLimit: false,
  concurrencyPerKey: false,
  remember: false,
};

const defaults = { ordered: true } satisfies AsyncMapOptions;

function recordOptionsOf(given: AsyncMapOptions): Readonly<Record<string, unknown>> {
  const names = Object.keys(decidesRecords) as (keyof AsyncMapOptions)[];
  return Object.fromEntries(
    names.filter((name) => decidesRecords[name]).map((name) => [name, given[name] ?? defaults[name as 'ordered']]),
  );
}

/** A source or sink without a declaration: only a version given by the user can identify it. */
function ownDefinition(
  what: 'source' | 'sink',
  name: string,
  part: string,
): ConnectorDefinition & Pick<StepDeclaration, 'opaque'> {
  const why = `cannot be compared with those of an earlier run: give the ${what} a version`;
  return { kind: name, opaque: { [part]: why } };
}

function versionOf({ version, inputs }: VersionOptions): VersionOptions {
  return { ...(version !== undefined && { version }), ...(inputs !== undefined && { inputs }) };
}

/** The functions that a `process` has if it declares its states. */
function statefulPartsOf({ onTimer, states = {} }: Extract<Operator, { kind: 'process' }>): Parts['functions'] {
  const ofStates = Object.entries(states).flatMap(([name, { functions = {} }]) =>
    Object.entries(functions).map(([what, fn]) => [`${what} of ${name}`, fn] as const),
  );
  return { ...(onTimer && { onTimer }), ...Object.fromEntries(ofStates) };
}
