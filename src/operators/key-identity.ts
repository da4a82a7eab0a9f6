import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { isThenable, refusePromise } from '../user-code.ts';

/**
 * Refuses keys that have no value of their own: two objects that look alike are two keys to a `Map`, and a restart would
 * make others. What is allowed is told apart as a `Map` does (−0 is 0, NaN is NaN). `operator` is for the message.
 *
 * @throws InvalidArgumentError for objects, functions and symbols.
 */
export function checkKey(key: unknown, operator: string): void {
  if ((typeof key === 'object' && key !== null) || typeof key === 'function' || typeof key === 'symbol') {
    if (isThenable(key)) refusePromise(`key of ${operator}`, key, 'a key, not a promise of one (use mapAsync before)');
    throw new InvalidArgumentError(
      `key of ${operator}`,
      key,
      'a string, number, bigint, boolean, null or undefined (build one string of several parts)',
    );
  }
}
