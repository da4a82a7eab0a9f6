import type { Clock } from '../../environment.ts';
import type { ResolvedAsyncMapOptions } from './async-map-options.ts';
import { RetryAfterError } from './call-errors.ts';
import { retryAfter } from './retry-after.ts';

/** What follows a failed call: a retry, or the same call again once the service takes calls. */
export type NextCall =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'again'; readonly waitMs: number };

/**
 * What follows a call of `operator` that failed after `retry` retries.
 * @throws the error, if the call is not repeated; RetryAfterError if the service asks for too long a wait
 */
export function afterFailure(
  operator: string,
  retry: number,
  error: Error,
  { retries, retryIf, retryDelayMs, maxRetryAfterMs }: ResolvedAsyncMapOptions,
  clock: Clock,
): NextCall {
  const asked = retryAfter(error, clock);
  if ((asked === undefined && retry >= retries) || !retryIf(error)) throw error;
  if (asked === undefined) return { kind: 'retry', delayMs: retryDelayMs(retry + 1, error) };
  const { waitMs, said } = asked;
  if (waitMs > maxRetryAfterMs) throw new RetryAfterError(operator, said, waitMs, maxRetryAfterMs, error);
  return { kind: 'again', waitMs };
}
