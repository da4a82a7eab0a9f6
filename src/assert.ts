import { IllegalStateError } from './errors/usage-errors.ts';

/** Throws an {@link IllegalStateError} unless `condition` holds: for what only a bug of the engine can break. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new IllegalStateError(message);
}

/** Marks a `switch` as exhaustive: does not compile while a case is missing. */
export function assertNever(value: never, what: string): never {
  throw new IllegalStateError(`${what}: unexpected ${JSON.stringify(value)}`);
}
