/** Whether `value` is a promise, or something that can be awaited like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

const ignore = (): void => {};

/** Nobody waits for `promise`; its rejection must not end the process. */
export function swallowRejection(promise: PromiseLike<unknown>): void {
  promise.then(ignore, ignore);
}
