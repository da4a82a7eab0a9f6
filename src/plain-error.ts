import * as checkpointErrors from './errors/checkpoint-errors.ts';
import * as connectorErrors from './errors/connector-errors.ts';
import * as executorErrors from './errors/executor-errors.ts';
import * as jobErrors from './errors/job-errors.ts';
import * as journalErrors from './errors/journal-errors.ts';
import * as recordingErrors from './errors/recording-errors.ts';
import * as resultErrors from './errors/result-errors.ts';
import * as savepointErrors from './errors/savepoint-errors.ts';
import * as stateErrors from './errors/state-errors.ts';
import * as usageErrors from './errors/usage-errors.ts';
import * as userCodeErrors from './errors/user-code-errors.ts';
import { propertiesOf, propertyOf, show } from './foreign-value.ts';

/** An error as plain data that survives a structured clone. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Its own properties. Values that cannot be cloned are rendered as text. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly cause: PlainError | { readonly value: unknown } | undefined;
  /** The errors of an `AggregateError`. */
  readonly errors: readonly PlainError[] | undefined;
}

type ErrorClass = new (...given: never[]) => Error;

/** Error classes that survive the conversion: those of the language and the kernel, and announced ones. */
const classes = new Map<string, ErrorClass>(
  [AggregateError, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((errorClass) => [
    errorClass.name,
    errorClass,
  ]),
);
for (const family of [
  usageErrors,
  jobErrors,
  resultErrors,
  connectorErrors,
  executorErrors,
  checkpointErrors,
  journalErrors,
  recordingErrors,
  savepointErrors,
  stateErrors,
  userCodeErrors,
]) {
  for (const [name, errorClass] of Object.entries<ErrorClass>(family)) classes.set(name, errorClass);
}

/** Registers an error class that is defined outside the kernel. */
export function announceErrorClass(errorClass: ErrorClass): void {
  classes.set(errorClass.name, errorClass);
}

/** Maximum depth of causes to convert. */
const mostCauses = 16;

/** Maximum number of errors in `AggregateError`s to convert, nested ones included. */
const mostErrors = 64;

/** The original of each plain error made on this thread. */
const originals = new WeakMap<PlainError, Error>();

/** Converts an error to plain data. Never throws. */
export function toPlainError(error: Error): PlainError {
  const plain = describe(error, mostCauses, { errorsLeft: mostErrors });
  originals.set(plain, error);
  return plain;
}

/**
 * Converts back. On the same thread it returns the original error, with its class and identity. Otherwise it creates a
 * copy, of the same class if that is one of the engine's.
 */
export function fromPlainError(plain: PlainError): Error {
  return originals.get(plain) ?? revive(plain);
}

/** The remaining budget for one error, because an error that contains itself would never end. */
interface Allowance {
  errorsLeft: number;
}

function describe(error: unknown, causesLeft: number, allowance: Allowance): PlainError {
  const { name, message, stack, cause, errors } = propertiesOf(error, 'name', 'message', 'stack', 'cause', 'errors');
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : show(error),
    stack: typeof stack === 'string' ? stack : undefined,
    data: ownData(error),
    cause: describeCause(cause, causesLeft, allowance),
    errors: describeErrors(errors, causesLeft, allowance),
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
      if (key === 'cause' || key === 'stack') continue;
      const value = propertyOf(error, key);
      // The errors of an `AggregateError` have their own place; elsewhere it may be a count.
      if (key !== 'errors' || !Array.isArray(value)) data.set(key, cloneable(value));
    }
  } catch {
    // A proxy whose keys cannot be read.
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
  // Its constructor expects other arguments and would build a new message; its fields are in `data`.
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
