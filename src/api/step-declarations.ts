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
  const { functions, options: own, opaque } = partsOf(operator);
  return {
    role: 'operator',
    kind: method,
    ...withErrors(operator.errors, functions, own),
    opaque,
    ...versionOf(options),
    key,
  };
}

/** A fold by key, as the user wrote it. */
export function declareFold(
  method: string,
  functions: ConnectorDefinition['functions'],
  { emit, errors }: { readonly emit: string; readonly errors?: ErrorHandling | undefined },
  options: VersionOptions,
  key: KeyDeclaration,
): StepDeclaration {
  return { role: 'operator', kind: method, ...withErrors(errors, functions, { emit }), ...versionOf(options), key };
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
  const parts = withErrors(source.errors, definition.functions, definition.options);
  return { ...definition, ...parts, role: 'source', ...versionOf(options) };
}

/** A sink, as the user gave it. */
export function declareSink(sink: Sink<never>, options: VersionOptions): StepDeclaration {
  const { definition = ownDefinition('sink', sink.name, 'destination') } = sink;
  return { ...definition, role: 'sink', ...versionOf(options) };
}

/** What becomes of a record at which a function fails decides about the results too, and about the dead letters. */
function withErrors(
  errors: ErrorHandling | undefined,
  functions: ConnectorDefinition['functions'],
  options: ConnectorDefinition['options'],
): Pick<StepDeclaration, 'functions' | 'options'> {
  if (errors === undefined) return { functions, options };
  const { reaction } = errors;
  const onError = reaction.kind;
  switch (reaction.kind) {
    case 'skip':
      return { functions, options: { ...options, onError } };
    case 'replace':
      return { functions: { ...functions, onError: reaction.fn }, options: { ...options, onError } };
    case 'deadLetter': {
      const { kind, options: own, functions: called = {} } = reaction.sink.definition ?? { kind: reaction.sink.name };
      const named = Object.entries(called).map(([name, fn]) => [`deadLetter.${name}`, fn]);
      return {
        functions: { ...functions, ...Object.fromEntries(named) },
        options: { ...options, onError, deadLetter: { kind, ...own } },
      };
    }
  }
}

function partsOf(operator: Operator): Pick<StepDeclaration, 'functions' | 'options' | 'opaque'> {
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
      return { functions: { onRecord: operator.onRecord, onEnd: operator.onEnd } };
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
