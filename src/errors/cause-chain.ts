import { propertyOf } from '../foreign-value.ts';
import type { KintsugiError } from './kintsugi-error.ts';

/** `error`, its cause, that error's cause, and so on: at most 32, each once, because causes may form a ring. */
export function* causeChain(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  let current = error;
  while (current !== undefined && current !== null && !seen.has(current) && seen.size < 32) {
    seen.add(current);
    yield current;
    current = propertyOf(current, 'cause');
  }
}

/** The first error in the cause chain with this `code`, including `error` itself. */
export function causeWithCode<Cause extends KintsugiError = KintsugiError>(
  error: unknown,
  code: Cause['code'],
): Cause | undefined {
  for (const link of causeChain(error)) if (propertyOf(link, 'code') === code) return link as Cause;
  return undefined;
}
