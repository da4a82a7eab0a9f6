type UserFunction = (...values: unknown[]) => unknown;

/**
 * Calls a function at a place where V8 has seen others, so that it does not inline it.
 *
 * The loops have a `try` around the user's functions. V8 does not peel a loop within a `try`, so a loop of a function that
 * it inlines there may take three times as long as by itself.
 */
export function callApart(fn: UserFunction, value: unknown): unknown {
  return fn(value);
}

/** The same with two values. */
export function callApartWithTwo(fn: UserFunction, first: unknown, second: unknown): unknown {
  return fn(first, second);
}

const others: readonly UserFunction[] = [() => 0, () => 1];

/** Shows V8 the other functions. Now and then, because it forgets what it has seen. */
export function stayApart(): void {
  for (const other of others) {
    callApart(other, undefined);
    callApartWithTwo(other, undefined, undefined);
  }
}

/** A function that a loop calls seldom. In a list, because V8 does not know what is in it, and so does not inline it. */
export type Seldom<Values extends unknown[]> = readonly [(...values: Values) => void];

/**
 * Calls such a function. V8 inlines what a loop calls at least once each time that it runs, however seldom that is for
 * its records, and then may take longer to compile it than all records do.
 */
export function callSeldom<First, Second>(of: Seldom<[First, Second]>, first: First, second: Second): void {
  of[0].call(undefined, first, second);
}
