import { InvalidArgumentError } from '../../errors/usage-errors.ts';

/** Options for comparing functions with those of an earlier run, to decide whether its results may be re-used. */
export interface VersionOptions {
  /**
   * The version of the functions (or of the records of an array), which is compared with the earlier run instead of the
   * source text. Change it when their meaning changes. Needed for everything that cannot be compared: native and bound
   * functions, RxJS operators, your own sources and sinks. Default: the source text.
   */
  readonly version?: string | number | undefined;
  /**
   * Values that the functions use but do not get as arguments, such as a prompt or the name of a model: plain data, or
   * functions. They are compared by value. Default: none.
   */
  readonly inputs?: readonly unknown[] | undefined;
}

/** A key function, as the user gave it. */
export interface KeyDeclaration extends VersionOptions {
  readonly keyOf: (record: never) => unknown;
}

/** The parts of a source or sink, for comparison with those of an earlier run. */
export interface ConnectorDefinition {
  /** The call that made it: `csvFile`. */
  readonly kind: string;
  /** The user's functions, by the name of parameter or option; undefined if not given. */
  readonly functions?: Readonly<Record<string, unknown>> | undefined;
  /** Plain values that affect the records or the written bytes, with defaults filled in; undefined if not given. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** All records of a source, if it has them. */
  readonly records?: readonly unknown[] | undefined;
}

/** A step, as far as its results depend on user code and options. */
export interface StepDeclaration extends ConnectorDefinition, VersionOptions {
  readonly role: 'source' | 'operator' | 'sink';
  /** Parts that only a version can identify, by name, and why: `cannot be compared …`. */
  readonly opaque?: Readonly<Record<string, string>> | undefined;
  readonly key?: KeyDeclaration | undefined;
}

/** @throws InvalidArgumentError unless `version` and `inputs` are valid. `of` names the call. */
export function checkVersionOptions(of: string, { version, inputs }: VersionOptions): void {
  const isVersion = typeof version === 'string' ? version !== '' : Number.isFinite(version);
  if (version !== undefined && !isVersion) {
    throw new InvalidArgumentError(`version of ${of}`, version, 'a number or a non-empty string');
  }
  if (inputs !== undefined && !Array.isArray(inputs)) {
    throw new InvalidArgumentError(`inputs of ${of}`, inputs, 'a list of values');
  }
}
