import * as connectorErrors from './errors/connector-errors.ts';
import * as executorErrors from './errors/executor-errors.ts';
import * as jobErrors from './errors/job-errors.ts';
import * as resultErrors from './errors/result-errors.ts';
import * as usageErrors from './errors/usage-errors.ts';
import * as userCodeErrors from './errors/user-code-errors.ts';
import { propertyOf, show } from './foreign-value.ts';

/** What is known of an error, as plain data that survives a structured clone. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Its own properties, as far as they can be cloned; what cannot is shown as a text. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly cause: PlainError | { readonly value: unknown } | undefined;
  /** Those of an `AggregateError`. */
  readonly errors: readonly PlainError[] | undefined;
}

type ErrorClass = new (...given: never[]) => Error;

/** Errors that keep their class on the other side of a wall: those of the language and of the kernel, and what is announced. */
const classes = new Map<string, ErrorClass>(
  [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((errorClass) => [
    errorClass.name,
    errorClass,
  ]),
);
for (const family of [usageErrors, jobErrors, resultErrors, connectorErrors, executorErrors, userCodeErrors]) {
  for (const [name, errorClass] of Object.entries<ErrorClass>(family)) classes.set(name, errorClass);
}

/** Announces an error class that lives beside what throws it. */
export function announceErrorClass(errorClass: ErrorClass): void {
  classes.set(errorClass.name, errorClass);
}

/** Causes of causes that are followed. */
const mostCauses = 16;

/** Errors of `AggregateError`s that are followed, those within others included. */
const mostErrors = 64;

/** The error that each plain one was made of, as long as it has not left this thread. */
const originals = new WeakMap<PlainError, Error>();

/** An error as plain data. Never throws, whatever the error is. */
export function toPlainError(error: Error): PlainError {
  const plain = describe(error, mostCauses, { errorsLeft: mostErrors });
  originals.set(plain, error);
  return plain;
}

/**
 * The error that `plain` was made of, if it has not left this thread: the user's classes and identities stay as they are.
 * Otherwise one like it, of the same class if that is the engine's.
 */
export function fromPlainError(plain: PlainError): Error {
  return originals.get(plain) ?? revive(plain);
}

/** What one error may still take: one that contains itself would take for ever. */
interface Allowance {
  errorsLeft: number;
}

function describe(error: unknown, causesLeft: number, allowance: Allowance): PlainError {
  const [name, message, stack] = ['name', 'message', 'stack'].map((key) => propertyOf(error, key));
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : show(error),
    stack: typeof stack === 'string' ? stack : undefined,
    data: ownData(error),
    cause: describeCause(propertyOf(error, 'cause'), causesLeft, allowance),
    errors: describeErrors(propertyOf(error, 'errors'), causesLeft, allowance),
  };
}

function describeCause(cause: unknown, causesLeft: number, allowance: Allowance): PlainError['cause'] {
  if (cause === undefined || causesLeft === 0) return undefined;
  return isError(cause) ? describe(cause, causesLeft - 1, allowance) : { value: cloneable(cause) };
}

function describeErrors(errors: unknown, causesLeft: number, allowance: Allowance): readonly PlainError[] | undefined {
  if (causesLeft === 0) return undefined;
  try {
    if (!Array.isArray(errors)) return undefined;
    const followed = errors.slice(0, allowance.errorsLeft);
    allowance.errorsLeft -= followed.length;
    return followed.map((error: unknown) => describe(error, Math.min(2, causesLeft - 1), allowance));
  } catch {
    return undefined;
  }
}

function ownData(error: unknown): Record<string, unknown> {
  const data = new Map<string, unknown>();
  try {
    for (const key of Object.keys(error as object)) {
      if (key !== 'cause' && key !== 'errors' && key !== 'stack') data.set(key, cloneable(propertyOf(error, key)));
    }
  } catch {
    // A proxy that does not say what it has.
  }
  return Object.fromEntries(data);
}

function cloneable(value: unknown): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')) {
    return value;
  }
  try {
    return structuredClone(value);
  } catch {
    return show(value);
  }
}

function isError(value: unknown): boolean {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function revive(plain: PlainError): Error {
  const errorClass = classes.get(plain.name);
  // Its constructor would make a message of other arguments: what it sets is in `data`.
  const error = new Error(plain.message);
  if (errorClass !== undefined) Object.setPrototypeOf(error, errorClass.prototype as object);
  const hidden = { writable: true, configurable: true, enumerable: false };
  Object.defineProperty(error, 'stack', { ...hidden, value: plain.stack });
  if (plain.cause !== undefined) {
    const cause = 'value' in plain.cause ? plain.cause.value : revive(plain.cause);
    Object.defineProperty(error, 'cause', { ...hidden, value: cause });
  }
  if (plain.errors !== undefined) {
    Object.defineProperty(error, 'errors', { ...hidden, value: plain.errors.map(revive) });
  }
  if (!('name' in plain.data)) Object.defineProperty(error, 'name', { ...hidden, value: plain.name });
  for (const [key, value] of Object.entries(plain.data)) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true });
  }
  return error;
}
