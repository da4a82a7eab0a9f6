import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { isThenable, refusePromise, swallowRejection } from '../user-code.ts';

const elsewhere = 'use mapAsync for what takes time';

/** A promise where an operator needs a record. @throws InvalidArgumentError */
export function refuseRecord(operator: string, promise: PromiseLike<unknown>): never {
  refusePromise(`result of ${operator}`, promise, `a record, not a promise of one (${elsewhere})`);
}

/** A promise where an operator keeps a value. @throws InvalidArgumentError */
export function refuseAccumulator(promise: PromiseLike<unknown>): never {
  refusePromise('accumulator of reduce or aggregate', promise, `a value, not a promise of one (${elsewhere})`);
}

/** What a predicate says that is true without being `true`. @throws InvalidArgumentError for a promise */
export function checkVerdict(verdict: unknown): void {
  if (isThenable(verdict)) refusePromise('result of filter', verdict, `true or false (${elsewhere})`);
}

/** What a function of flatMap returns. @throws InvalidArgumentError unless it can be iterated */
export function checkMany(many: unknown): asserts many is Iterable<unknown> {
  if (typeof (many as Iterable<unknown> | null | undefined)?.[Symbol.iterator] === 'function') return;
  if (isThenable(many)) swallowRejection(many);
  throw new InvalidArgumentError('result of flatMap', many, `an iterable of records (${elsewhere})`);
}
