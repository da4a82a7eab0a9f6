import { types } from 'node:util';
import { InvalidArgumentError } from '../errors/usage-errors.ts';

/**
 * What a step gives instead of a `Stream` where its function returns promises: nothing can follow it, and the compiler's
 * message says what to do. Functions that return `any`, or always throw, fit the overload for promises, too.
 */
export type UseMapAsync<Result, Stream> = 0 extends 1 & Result
  ? Stream
  : [Result] extends [never]
    ? Stream
    : 'a promise is no record: use mapAsync';

/**
 * A function that is called for each record and answers at once. What it returns is looked at when it runs; here an `async`
 * function or a generator is refused as soon as it is named.
 *
 * @throws InvalidArgumentError
 */
export function checkRecordFunction<Fn>(what: string, fn: Fn, { mayGenerate = false } = {}): Fn {
  if (typeof fn !== 'function') throw new InvalidArgumentError(what, fn, 'a function');
  // Of an async generator both are true.
  if (types.isAsyncFunction(fn)) {
    throw new InvalidArgumentError(what, fn, 'a function that answers at once (use mapAsync for what takes time)');
  }
  if (!mayGenerate && types.isGeneratorFunction(fn)) {
    throw new InvalidArgumentError(what, fn, 'no generator function (use flatMap for any number of records)');
  }
  return fn;
}
