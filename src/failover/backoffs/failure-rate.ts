import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkMilliseconds, checkOptions } from '../../options.ts';
import type { RestartBackoffRule } from './restart-backoff.ts';

/**
 * Restarts after `delayMs` unless more than `maxFailuresPerInterval` failures occurred within `intervalMs` (inclusive),
 * counted at the time of the call. (Flink: `FailureRateRestartBackoffTimeStrategy`.)
 */
export function failureRate(options: {
  readonly maxFailuresPerInterval: number;
  readonly intervalMs: number;
  readonly delayMs: number;
}): RestartBackoffRule<readonly number[]> {
  checkOptions('failureRate', options, { maxFailuresPerInterval: true, intervalMs: true, delayMs: true });
  const { maxFailuresPerInterval, intervalMs, delayMs } = options;
  if (!Number.isSafeInteger(maxFailuresPerInterval) || maxFailuresPerInterval < 1) {
    throw new InvalidArgumentError('failureRate maxFailuresPerInterval', maxFailuresPerInterval, 'an integer ≥ 1');
  }
  if (!(typeof intervalMs === 'number' && intervalMs > 0))
    throw new InvalidArgumentError('failureRate intervalMs', intervalMs, 'a number > 0');
  checkMilliseconds('failureRate delayMs', delayMs, { mayBeZero: true });
  return {
    name: 'failure-rate',
    initial: [],
    onFailure: (times, nowMs) => ({ state: [...times, nowMs].slice(-(maxFailuresPerInterval + 1)), newAttempt: true }),
    canRestart: (times, nowMs) => times.length <= maxFailuresPerInterval || nowMs - (times[0] as number) > intervalMs,
    delayMs: () => delayMs,
    restartsLeft: (times, nowMs) =>
      Math.max(0, maxFailuresPerInterval - times.filter((time) => nowMs - time <= intervalMs).length),
  };
}
