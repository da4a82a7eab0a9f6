import { IllegalStateError } from './errors/usage-errors.ts';

/**
 * Throws an {@link IllegalStateError} unless `condition` holds. For conditions that only a bug in the engine can break.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new IllegalStateError(message);
}
