import type { Random } from '../environment.ts';
import { InvalidArgumentError } from '../errors.ts';
import { hopelessReason } from '../failover/hopeless.ts';
import type { AsyncMapOptions } from './operator-description.ts';

/** Options of `mapAsync` with every default filled in. */
export interface ResolvedAsyncMapOptions {
  readonly concurrency: number;
  readonly ordered: boolean;
  /** undefined: a call may take for ever. */
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  /** @throws InvalidArgumentError where a function of the user's answered something that is not a delay. */
  readonly retryDelayMs: (retry: number, error: Error) => number;
  readonly retryIf: (error: Error) => boolean;
  readonly rateLimit: { readonly calls: number; readonly perMs: number } | undefined;
}

/** The longest time that a timer of Node keeps: 24.8 days. */
const longestMs = 2 ** 31 - 1;

function check(
  operator: string,
  option: string,
  given: unknown,
  isValid: (given: unknown) => boolean,
  expected: string,
): void {
  if (!isValid(given)) throw new InvalidArgumentError(`${option} of "${operator}"`, given, expected);
}

/**
 * Checks options of `mapAsync`; `operator` is for the messages.
 *
 * @throws InvalidArgumentError for the first option out of its range: its name, what was given, what is allowed.
 */
export function checkAsyncMapOptions(operator: string, options: AsyncMapOptions): void {
  const { concurrency, ordered, timeoutMs, retries, retryDelayMs, retryIf, rateLimit } = options;
  const checkOptional = (
    ...[option, given, isValid, expected]: [string, unknown, (given: unknown) => boolean, string]
  ) => {
    if (given !== undefined) check(operator, option, given, isValid, expected);
  };
  const aDuration = `a number of milliseconds above 0, at most ${longestMs}`;
  checkOptional('concurrency', concurrency, isIntegerFrom(1), 'an integer from 1');
  checkOptional('ordered', ordered, (given) => typeof given === 'boolean', 'true or false');
  checkOptional('timeoutMs', timeoutMs, isDuration, aDuration);
  checkOptional('retries', retries, isIntegerFrom(0), 'an integer from 0');
  checkOptional('retryDelayMs', retryDelayMs, isFunction, 'a function');
  checkOptional('retryIf', retryIf, isFunction, 'a function');
  checkOptional('rateLimit', rateLimit, isObject, '{ calls, perMs }');
  if (rateLimit !== undefined) {
    check(operator, 'rateLimit.calls', rateLimit.calls, isIntegerFrom(1), 'an integer from 1');
    check(operator, 'rateLimit.perMs', rateLimit.perMs, isDuration, aDuration);
  }
}

/** Checks options of `mapAsync` as {@link checkAsyncMapOptions} does, and fills in the defaults. */
export function resolveAsyncMapOptions(
  operator: string,
  options: AsyncMapOptions,
  random: Random,
): ResolvedAsyncMapOptions {
  checkAsyncMapOptions(operator, options);
  const { concurrency, ordered, timeoutMs, retries, retryDelayMs, retryIf, rateLimit } = options;
  return {
    concurrency: concurrency ?? 16,
    ordered: ordered ?? true,
    timeoutMs,
    retries: retries ?? 0,
    retryDelayMs: (retry, error) => {
      if (retryDelayMs === undefined) return defaultRetryDelayMs(retry, random);
      const delayMs = retryDelayMs(retry, error);
      check(operator, 'result of retryDelayMs', delayMs, isDelay, `a number of milliseconds from 0 to ${longestMs}`);
      return delayMs;
    },
    retryIf: retryIf ?? isWorthARetry,
    rateLimit,
  };
}

function defaultRetryDelayMs(retry: number, random: Random): number {
  return Math.min(10_000, 100 * 2 ** (retry - 1)) * (0.8 + 0.4 * random.next());
}

function isWorthARetry(error: Error): boolean {
  return hopelessReason(error) === undefined;
}

function isIntegerFrom(least: number): (given: unknown) => boolean {
  return (given) => Number.isSafeInteger(given) && (given as number) >= least;
}

function isDelay(given: unknown): boolean {
  return typeof given === 'number' && given >= 0 && given <= longestMs;
}

function isDuration(given: unknown): boolean {
  return isDelay(given) && (given as number) > 0;
}

function isFunction(given: unknown): boolean {
  return typeof given === 'function';
}

function isObject(given: unknown): boolean {
  return typeof given === 'object' && given !== null;
}
