import { toError } from './errors/thrown-value.ts';
import { InvalidArgumentError } from './errors/usage-errors.ts';

/**
 * The one guard for calls into code that is not ours: functions of the job, sources and sinks, strategies, observers. Whatever
 * comes back (a value, a promise, something that is only like a promise, a rejection, a proxy that resists) arrives as a
 * {@link Returned}, and no rejection is left without a listener.
 *
 * - {@link callNow}: the answer is needed before anything goes on.
 * - {@link callAndWait}: the answer may take its time.
 * - {@link callAndForget}: nobody needs the answer.
 *
 * Not for single records: the loops of operators call the user's functions directly, and use {@link refusePromise} for what
 * these return.
 */

/** What user code came back with. */
export type Returned<Value> =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'error'; readonly error: Error };

/** Whether `value` is a promise, or something that can be awaited like one. @throws what a getter of `then` throws */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Nobody waits for `promise`; its rejection must not end the process. */
export function swallowRejection(promise: PromiseLike<unknown>): void {
  settle(promise, ignore);
}

/**
 * Calls user code that has to answer at once. A promise is an error that names `what` was called; what it settles with is
 * dropped.
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
 * Calls user code that may answer with a promise. What comes at once is returned; otherwise undefined is, and `later` is
 * called once, never on this stack. A promise that never settles calls nobody.
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

/** Calls user code whose answer nobody needs: an observer. `failed` hears of what it throws or rejects with. */
export function callAndForget(call: () => unknown, failed: (error: Error) => void): void {
  const report = (returned: Returned<unknown>): void => {
    if (returned.kind === 'error') failed(returned.error);
  };
  const returned = callAndWait(call, report);
  if (returned !== undefined) report(returned);
}

/** Refuses a promise where a value is expected; what it settles with is dropped. @throws InvalidArgumentError */
export function refusePromise(what: string, promise: PromiseLike<unknown>, expected?: string): never {
  throw refusalOf(what, promise, expected);
}

/** The error for a promise where a value is expected; what it settles with is dropped. */
export function refusalOf(
  what: string,
  promise: PromiseLike<unknown>,
  expected = 'an answer at once',
): InvalidArgumentError {
  swallowRejection(promise);
  return new InvalidArgumentError(what, promise, expected);
}

const ignore = (): void => {};

/** `later` is called once, and not on this stack. @throws what the constructor of a promise throws when it is read */
function settle<Value>(promise: PromiseLike<Value>, later: (returned: Returned<Value>) => void): void {
  // `await` costs three promises where this one costs one; of a promise its own `then` is no better than ours.
  if (promise instanceof Promise) {
    void Promise.prototype.then.call(
      promise,
      (value: Value) => later({ kind: 'value', value }),
      (thrown: unknown) => later({ kind: 'error', error: toError(thrown) }),
    );
  } else void settleThenable(promise, later);
}

/** Whatever `then` does, calling back twice or throwing: the first answer counts. */
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
