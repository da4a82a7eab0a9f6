import { propertyOf } from '../foreign-value.ts';
import { causeChain } from './cause-chain.ts';
import { toError } from './thrown-value.ts';

/** Messages of `fetch` that say nothing: its causes do. */
const sayNothing: ReadonlySet<string> = new Set(['', 'fetch failed', 'terminated']);

/**
 * What went wrong, of an error that may not say so itself: the cause of a failed `fetch`, and the failures at all addresses
 * of a host, which Node puts into an `AggregateError` without a message.
 */
export function toldCause(thrown: unknown): string {
  for (const link of causeChain(thrown)) {
    const { message } = toError(link);
    if (!sayNothing.has(message)) return message;
    const errors = propertyOf(link, 'errors');
    const told = new Set((Array.isArray(errors) ? errors : []).map((one: unknown) => toError(one).message));
    told.delete('');
    if (told.size > 0) return [...told].join(', ');
  }
  const { message, name } = toError(thrown);
  return message || name;
}
