import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { isThenable, refusePromise } from '../user-code.ts';

/**
 * Refuses keys that are compared by identity: two equal objects are different keys to a `Map`, and a restart creates
 * new ones. Allowed keys are compared as in a `Map` (−0 is 0, NaN is NaN). `operator` is for the message.
 *
 * @throws InvalidArgumentError for objects, functions and symbols.
 */
export function checkKey(key: unknown, operator: string): void {
  if ((typeof key === 'object' && key !== null) || typeof key === 'function' || typeof key === 'symbol') {
    if (isThenable(key)) refusePromise(`key of ${operator}`, key, 'a key, not a promise of one (use mapAsync before)');
    throw new InvalidArgumentError(
      `key of ${operator}`,
      key,
      'a string, number, bigint, boolean, null or undefined (for several parts, build one string)',
    );
  }
}
