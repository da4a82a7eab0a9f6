import { propertyOf } from '../foreign-value.ts';
import type { KintsugiError } from './kintsugi-error.ts';

/** `error`, its cause, the cause of that, …: at most 32, and each once (causes may form a ring). */
export function* causeChain(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  let current = error;
  while (current !== undefined && current !== null && !seen.has(current) && seen.size < 32) {
    seen.add(current);
    yield current;
    current = propertyOf(current, 'cause');
  }
}

/** The first in the chain of causes that carries `code`, the error itself included. */
export function causeWithCode<Cause extends KintsugiError = KintsugiError>(
  error: unknown,
  code: Cause['code'],
): Cause | undefined {
  for (const link of causeChain(error)) if (propertyOf(link, 'code') === code) return link as Cause;
  return undefined;
}
