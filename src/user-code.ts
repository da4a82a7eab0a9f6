import { toError } from './errors/thrown-value.ts';
import { InvalidArgumentError } from './errors/usage-errors.ts';

/**
 * The single guard for calls into user code: functions of the job, sources and sinks, strategies, observers. Every
 * outcome (a value, a promise, a thenable, a rejection, a proxy that throws) arrives as a {@link Returned}, and no
 * rejection is left unhandled.
 *
 * - {@link callNow}: the answer must be synchronous.
 * - {@link callAndWait}: the answer may be asynchronous.
 * - {@link callAndForget}: the answer is ignored.
 * - {@link answerOf}: the answer should be a promise, and becomes one.
 *
 * Not for single records: operator loops call user functions directly, and use {@link refusePromise} on their results.
 */

/** The outcome of a call into user code. */
export type Returned<Value> =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'error'; readonly error: Error };

/** Whether `value` is a promise or a thenable. @throws the error of a throwing `then` getter */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Prevents a rejection of `promise` from ending the process. */
export function swallowRejection(promise: PromiseLike<unknown>): void {
  settle(promise, ignore);
}

/**
 * Calls user code that must answer synchronously. A promise is an error that names `what` was called; its outcome is
 * ignored.
 */
export function callNow<Value>(what: string, call: () => Value): Returned<Exclude<Value, PromiseLike<unknown>>> {
  try {
    const value = call();
    if (isThenable(value)) refusePromise(what, value);
    return { kind: 'value', value: value as Exclude<Value, PromiseLike<unknown>> };
  } catch (thrown) {
    return { kind: 'error', error: toError(thrown) };
  }
}

/**
 * Calls user code that may answer with a promise. Returns a synchronous outcome. Otherwise returns undefined and calls
 * `later` once, never on this stack; if the promise never settles, it never calls.
 */
export function callAndWait<Value>(
  call: () => Value | PromiseLike<Value>,
  later: (returned: Returned<Value>) => void,
): Returned<Value> | undefined {
  try {
    const value = call();
    if (!isThenable(value)) return { kind: 'value', value };
    settle(value, later);
    return undefined;
  } catch (thrown) {
    return { kind: 'error', error: toError(thrown) };
  }
}

/** Calls user code whose answer is ignored, such as an observer. `failed` gets the error if it throws or rejects. */
export function callAndForget(call: () => unknown, failed: (error: Error) => void): void {
  const report = (returned: Returned<unknown>): void => {
    if (returned.kind === 'error') failed(returned.error);
  };
  const returned = callAndWait(call, report);
  if (returned !== undefined) report(returned);
}

/**
 * Calls user code that should answer with a promise: so does this, also if it throws, or answers at once. A native promise is
 * passed on as it is.
 */
export function answerOf<Value>(call: () => Value | PromiseLike<Value>): Promise<Value> {
  try {
    return Promise.resolve(call());
  } catch (thrown) {
    return Promise.reject(toError(thrown));
  }
}

/** Refuses a promise where a value is expected, and ignores its outcome. @throws InvalidArgumentError */
export function refusePromise(what: string, promise: PromiseLike<unknown>, expected?: string): never {
  throw refusalOf(what, promise, expected);
}

/** The error for a promise where a value is expected. Ignores the promise's outcome. */
export function refusalOf(
  what: string,
  promise: PromiseLike<unknown>,
  expected = 'a synchronous answer',
): InvalidArgumentError {
  swallowRejection(promise);
  return new InvalidArgumentError(what, promise, expected);
}

const ignore = (): void => {};

/** Calls `later` once, never on this stack. @throws the error of a throwing `constructor` getter of the promise */
function settle<Value>(promise: PromiseLike<Value>, later: (returned: Returned<Value>) => void): void {
  // `await` costs three promises, this costs one; for a native promise, `then` is as safe.
  if (promise instanceof Promise) {
    void Promise.prototype.then.call(
      promise,
      (value: Value) => later({ kind: 'value', value }),
      (thrown: unknown) => later({ kind: 'error', error: toError(thrown) }),
    );
  } else void settleThenable(promise, later);
}

/** A thenable may call back twice or throw; only its first answer counts. */
async function settleThenable<Value>(
  thenable: PromiseLike<Value>,
  later: (returned: Returned<Value>) => void,
): Promise<void> {
  let returned: Returned<Value>;
  try {
    returned = { kind: 'value', value: await thenable };
  } catch (thrown) {
    returned = { kind: 'error', error: toError(thrown) };
  }
  later(returned);
}
