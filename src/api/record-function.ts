import { types } from 'node:util';
import type { OperatorFunction } from 'rxjs';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import type { OperatorDescription } from '../operators/operator-description.ts';
import { checkBoolean } from '../options.ts';
import type { ThroughOptions } from './stream-graph.ts';

/** What a function may answer with that may be async. */
export type MaybeAsync<Result> = Awaited<Result> | PromiseLike<Awaited<Result>>;

/**
 * The return type, instead of a `Stream`, of a step whose function returns promises: nothing can follow it, and the
 * compiler's message gives the remedy. Functions that return `any`, or always throw, match the promise overload too.
 */
export type UseMapAsync<Result, Stream> = 0 extends 1 & Result
  ? Stream
  : [Result] extends [never]
    ? Stream
    : 'a promise is not a record: use mapAsync';

/**
 * Checks a function that is called per record and must return synchronously. Refuses `async` functions and generators
 * early; other return values are checked at run time.
 *
 * @throws InvalidArgumentError
 */
export function checkRecordFunction<Fn>(what: string, fn: Fn, { mayGenerate = false } = {}): Fn {
  if (typeof fn !== 'function') throw new InvalidArgumentError(what, fn, 'a function');
  // Both checks are true for an async generator.
  if (types.isAsyncFunction(fn)) {
    throw new InvalidArgumentError(what, fn, 'a synchronous function (for an asynchronous one use mapAsync)');
  }
  if (!mayGenerate && types.isGeneratorFunction(fn)) {
    throw new InvalidArgumentError(
      what,
      fn,
      'a function that is not a generator (for any number of records use flatMap)',
    );
  }
  return fn;
}

/** @throws InvalidArgumentError for what is not a function */
function checkFunction<Fn>(what: string, fn: Fn): Fn {
  if (typeof fn !== 'function') throw new InvalidArgumentError(what, fn, 'a function');
  return fn;
}

/** The operator of a `through`. @throws InvalidArgumentError for what is not a function */
export function pipeOperator(
  operator: OperatorFunction<never, unknown>,
  options: ThroughOptions | null,
): OperatorDescription & { kind: 'pipe' } {
  const pipe = checkFunction('through', operator) as (OperatorDescription & { kind: 'pipe' })['operator'];
  const isStateless = options?.stateless;
  if (isStateless !== undefined) checkBoolean('stateless of through', isStateless);
  return { kind: 'pipe', operator: pipe, ...(isStateless && { isStateless }) };
}
