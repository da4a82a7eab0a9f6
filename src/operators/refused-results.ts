import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { isThenable, refusePromise, swallowRejection } from '../user-code.ts';

const elsewhere = 'for asynchronous functions use mapAsync';

/** Refuses a promise in place of a record. @throws InvalidArgumentError */
export function refuseRecord(operator: string, promise: PromiseLike<unknown>): never {
  refusePromise(`result of ${operator}`, promise, `a record, not a promise of one (${elsewhere})`);
}

/** Refuses a promise in place of an accumulator. @throws InvalidArgumentError */
export function refuseAccumulator(promise: PromiseLike<unknown>): never {
  refusePromise('accumulator of reduce or aggregate', promise, `a value, not a promise of one (${elsewhere})`);
}

/** Checks a truthy predicate result other than `true`. @throws InvalidArgumentError for a promise */
export function checkVerdict(verdict: unknown): void {
  if (isThenable(verdict)) refusePromise('result of filter', verdict, `true or false (${elsewhere})`);
}

/** All results of a flatMap function before the first is passed on, so that none is if the function fails. */
export function allOf(many: unknown): readonly unknown[] {
  if (Array.isArray(many)) return many;
  checkMany(many);
  return [...many];
}

/** Checks the result of a flatMap function. @throws InvalidArgumentError unless it is iterable */
export function checkMany(many: unknown): asserts many is Iterable<unknown> {
  if (typeof (many as Iterable<unknown> | null | undefined)?.[Symbol.iterator] === 'function') return;
  if (isThenable(many)) swallowRejection(many);
  throw new InvalidArgumentError('result of flatMap', many, `an iterable of records (${elsewhere})`);
}
