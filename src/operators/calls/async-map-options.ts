import type { Random } from '../../environment.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { unrecoverableReason } from '../../failover/unrecoverable-reason.ts';
import { checkBoolean, checkFunction, checkOptions, longestTimerMs } from '../../options.ts';
import { CallCostError } from './call-errors.ts';
import type { CallKey, CallLimits } from '../call-limiter.ts';
import { checkKey } from '../key-identity.ts';
import type {
  AsyncMapOptions,
  KeyConcurrency,
  RateLimit,
  RememberOptions,
  TokenLimit,
} from '../operator-description.ts';

/** Options of `mapAsync` with every default filled in. */
export interface ResolvedAsyncMapOptions {
  readonly concurrency: number;
  readonly ordered: boolean;
  /** undefined: no time limit. */
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  /** @throws InvalidArgumentError if the user's function does not return a delay */
  readonly retryDelayMs: (retry: number, error: Error) => number;
  readonly retryIf: (error: Error) => boolean;
  readonly maxRetryAfterMs: number;
  readonly limits: CallLimits;
  /**
   * The cost of a call for `record`, per limit.
   * @throws CallCostError if the cost exceeds a limit; InvalidArgumentError if it is not a valid cost
   */
  readonly costsOf: (record: unknown) => readonly number[];
  /**
   * The key whose calls are limited; undefined without a limit per key. @throws InvalidArgumentError for an invalid key
   */
  readonly keyOf: ((record: unknown) => CallKey) | undefined;
}

/** Long enough for a daily quota to renew. */
const defaultMaxRetryAfterMs = 24 * 3_600_000;

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
 * @throws InvalidArgumentError for the first option out of range
 */
export function checkAsyncMapOptions<In>(operator: string, options: AsyncMapOptions<In>): void {
  const {
    concurrency,
    ordered,
    timeoutMs,
    retries,
    retryDelayMs,
    retryIf,
    maxRetryAfterMs,
    rateLimit,
    concurrencyPerKey,
    remember,
  } = options;
  const checkOptional = (
    ...[option, given, isValid, expected]: [string, unknown, (given: unknown) => boolean, string]
  ) => {
    if (given !== undefined) check(operator, option, given, isValid, expected);
  };
  const aDuration = `a number of milliseconds above 0, at most ${longestTimerMs}`;
  checkOptional('concurrency', concurrency, isIntegerFrom(1), 'an integer from 1');
  checkOptional('ordered', ordered, (given) => typeof given === 'boolean', 'true or false');
  checkOptional('timeoutMs', timeoutMs, isDuration, aDuration);
  checkOptional('retries', retries, isIntegerFrom(0), 'an integer from 0');
  checkOptional('retryDelayMs', retryDelayMs, isFunction, 'a function');
  checkOptional('retryIf', retryIf, isFunction, 'a function');
  checkOptional('maxRetryAfterMs', maxRetryAfterMs, isDelay, `a number of milliseconds from 0 to ${longestTimerMs}`);
  if (rateLimit !== undefined) for (const limit of listOf(rateLimit)) checkRateLimit(operator, limit);
  checkOptional('concurrencyPerKey', concurrencyPerKey, isObject, '{ key, limit }');
  if (concurrencyPerKey !== undefined) {
    checkOptions(`concurrencyPerKey of "${operator}"`, concurrencyPerKey, { key: true, limit: true });
    check(operator, 'concurrencyPerKey.key', concurrencyPerKey.key, isFunction, 'a function');
    check(operator, 'concurrencyPerKey.limit', concurrencyPerKey.limit, isIntegerFrom(1), 'an integer from 1');
  }
  if (remember !== undefined) checkRemember(`"${operator}"`, remember);
}

function checkRateLimit<In>(operator: string, limit: RateLimit<In>): void {
  check(operator, 'rateLimit', limit, isObject, '{ calls, perMs }, { tokens, perMs, cost } or a list of such limits');
  const what = `rateLimit of "${operator}"`;
  if (isTokenLimit(limit)) {
    checkOptions(what, limit, { tokens: true, perMs: true, cost: true });
    check(operator, 'rateLimit.tokens', limit.tokens, isAmount, 'a number above 0');
    check(operator, 'rateLimit.cost', limit.cost, isFunction, 'a function');
  } else {
    checkOptions(what, limit, { calls: true, perMs: true });
    check(operator, 'rateLimit.calls', limit.calls, isIntegerFrom(1), 'an integer from 1');
  }
  check(
    operator,
    'rateLimit.perMs',
    limit.perMs,
    isDuration,
    `a number of milliseconds above 0, at most ${longestTimerMs}`,
  );
}

/** @throws InvalidArgumentError for the first option of `remember` that is invalid; `operator` is for the message */
function checkRemember<In>(operator: string, remember: boolean | RememberOptions<In>): void {
  if (typeof remember === 'boolean') return;
  const names = { key: true, directory: true, maxBytes: true, ttlMs: true, errors: true, sync: true } as const;
  checkOptions(`remember of ${operator}`, remember, names);
  const { key, directory, maxBytes, ttlMs, errors, sync } = remember;
  const of = (option: string): string => `remember.${option} of ${operator}`;
  if (key !== undefined) checkFunction(of('key'), key);
  if (directory !== undefined && (typeof directory !== 'string' || directory === '' || directory.includes('\0'))) {
    throw new InvalidArgumentError(of('directory'), directory, 'the path of a directory');
  }
  if (maxBytes !== undefined) checkAmount(of('maxBytes'), maxBytes, 'bytes');
  if (ttlMs !== undefined) checkAmount(of('ttlMs'), ttlMs, 'milliseconds');
  if (errors !== undefined) checkBoolean(of('errors'), errors);
  if (sync !== undefined && sync !== 'grouped' && sync !== 'call')
    throw new InvalidArgumentError(of('sync'), sync, '"grouped" or "call"');
}

function checkAmount(what: string, given: unknown, unit: string): void {
  if (typeof given === 'number' && given > 0) return;
  throw new InvalidArgumentError(what, given, `${unit} above 0; Infinity for no limit`);
}

function isTokenLimit<In>(limit: RateLimit<In>): limit is TokenLimit<In> {
  return (limit as Partial<TokenLimit<In>>).tokens !== undefined;
}

function listOf<In>(limits: RateLimit<In> | readonly RateLimit<In>[]): readonly RateLimit<In>[] {
  return Array.isArray(limits) ? (limits as readonly RateLimit<In>[]) : [limits as RateLimit<In>];
}

/** Checks options of `mapAsync` as {@link checkAsyncMapOptions} does, and fills in the defaults. */
export function resolveAsyncMapOptions(
  operator: string,
  options: AsyncMapOptions,
  random: Random,
): ResolvedAsyncMapOptions {
  checkAsyncMapOptions(operator, options);
  const {
    concurrency,
    ordered,
    timeoutMs,
    retries,
    retryDelayMs,
    retryIf,
    maxRetryAfterMs,
    rateLimit = [],
    concurrencyPerKey,
  } = options;
  const rates = listOf(rateLimit);
  return {
    concurrency: concurrency ?? 16,
    ordered: ordered ?? true,
    timeoutMs,
    retries: retries ?? 0,
    retryDelayMs: (retry, error) => {
      if (retryDelayMs === undefined) return defaultRetryDelayMs(retry, random);
      const delayMs = retryDelayMs(retry, error);
      check(
        operator,
        'result of retryDelayMs',
        delayMs,
        isDelay,
        `a number of milliseconds from 0 to ${longestTimerMs}`,
      );
      return delayMs;
    },
    retryIf: retryIf ?? isWorthARetry,
    maxRetryAfterMs: maxRetryAfterMs ?? defaultMaxRetryAfterMs,
    limits: {
      rates: rates.map((limit) => ({ amount: isTokenLimit(limit) ? limit.tokens : limit.calls, perMs: limit.perMs })),
      perKey: concurrencyPerKey?.limit,
    },
    costsOf: (record) => rates.map((limit) => (isTokenLimit(limit) ? costOf(operator, limit, record as never) : 1)),
    keyOf: concurrencyPerKey && ((record) => keyOf(operator, concurrencyPerKey, record as never)),
  };
}

function costOf(operator: string, { tokens, perMs, cost: costOfRecord }: TokenLimit, record: never): number {
  const cost: unknown = costOfRecord(record);
  check(operator, 'result of rateLimit.cost', cost, isCost, 'a number from 0');
  if ((cost as number) > tokens) throw new CallCostError(operator, cost as number, tokens, perMs);
  return cost as number;
}

function keyOf(operator: string, { key: keyOfRecord }: KeyConcurrency, record: never): CallKey {
  const key = keyOfRecord(record);
  checkKey(key, `concurrencyPerKey of "${operator}"`);
  return key;
}

function defaultRetryDelayMs(retry: number, random: Random): number {
  return Math.min(10_000, 100 * 2 ** (retry - 1)) * (0.8 + 0.4 * random.next());
}

function isWorthARetry(error: Error): boolean {
  return unrecoverableReason(error) === undefined;
}

function isIntegerFrom(least: number): (given: unknown) => boolean {
  return (given) => Number.isSafeInteger(given) && (given as number) >= least;
}

function isDelay(given: unknown): boolean {
  return typeof given === 'number' && given >= 0 && given <= longestTimerMs;
}

function isDuration(given: unknown): boolean {
  return isDelay(given) && (given as number) > 0;
}

function isCost(given: unknown): boolean {
  return typeof given === 'number' && given >= 0;
}

function isAmount(given: unknown): boolean {
  return isCost(given) && (given as number) > 0;
}

function isFunction(given: unknown): boolean {
  return typeof given === 'function';
}

function isObject(given: unknown): boolean {
  return typeof given === 'object' && given !== null;
}
