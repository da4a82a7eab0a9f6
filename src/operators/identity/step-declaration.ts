import { InvalidArgumentError } from '../../errors/usage-errors.ts';

/** Options that say what functions are compared by, when a run decides whether it may use results of an earlier one. */
export interface VersionOptions {
  /**
   * Version of what is given here: it is compared with the earlier run instead of the source text of functions (or the
   * records of an array). Change it with the meaning. Needed where there is nothing to compare: native and bound
   * functions, RxJS operators, sources and sinks of your own. Default: the source text.
   */
  readonly version?: string | number | undefined;
  /**
   * Values that the functions use without being given them, such as a prompt or the name of a model: plain data, or
   * functions. They are compared by value. Default: none.
   */
  readonly inputs?: readonly unknown[] | undefined;
}

/** A key function, as the user gave it. */
export interface KeyDeclaration extends VersionOptions {
  readonly keyOf: (record: never) => unknown;
}

/** What a source or sink is made of, so that it can be compared with that of an earlier run. */
export interface ConnectorDefinition {
  /** The call that made it: `csvFile`. */
  readonly kind: string;
  /** The user's functions, by the name of parameter or option; undefined if not given. */
  readonly functions?: Readonly<Record<string, unknown>> | undefined;
  /** Plain values that change the records or the bytes written, with defaults filled in; undefined if not given. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** All records of a source, if it has them. */
  readonly records?: readonly unknown[] | undefined;
}

/** A step, as far as its results depend on what the user wrote. */
export interface StepDeclaration extends ConnectorDefinition, VersionOptions {
  readonly role: 'source' | 'operator' | 'sink';
  /** Parts that only a version can identify, by name, and why: `cannot be compared …`. */
  readonly opaque?: Readonly<Record<string, string>> | undefined;
  readonly key?: KeyDeclaration | undefined;
}

/** @throws InvalidArgumentError unless `version` and `inputs` are what they should be. `of` names the call. */
export function checkVersionOptions(of: string, { version, inputs }: VersionOptions): void {
  const isVersion = typeof version === 'string' ? version !== '' : Number.isFinite(version);
  if (version !== undefined && !isVersion) {
    throw new InvalidArgumentError(`version of ${of}`, version, 'a number, or a text that is not empty');
  }
  if (inputs !== undefined && !Array.isArray(inputs)) {
    throw new InvalidArgumentError(`inputs of ${of}`, inputs, 'a list of values');
  }
}
