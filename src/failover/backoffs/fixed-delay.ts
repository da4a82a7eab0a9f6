import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkMilliseconds, checkOptions } from '../../options.ts';
import type { RestartBackoffRule } from './restart-backoff.ts';

/** Restarts `maxAttempts` times, each after `delayMs`. Every failure is an attempt. (Flink: `FixedDelayRestartBackoffTimeStrategy`.) */
export function fixedDelay(options: {
  readonly maxAttempts: number;
  readonly delayMs: number;
}): RestartBackoffRule<number> {
  checkOptions('fixedDelay', options, { maxAttempts: true, delayMs: true });
  const { maxAttempts, delayMs } = options;
  if (!(typeof maxAttempts === 'number' && maxAttempts >= 0))
    throw new InvalidArgumentError('fixedDelay maxAttempts', maxAttempts, 'a number ≥ 0');
  checkMilliseconds('fixedDelay delayMs', delayMs, { mayBeZero: true });
  return {
    name: 'fixed-delay',
    initial: 0,
    onFailure: (failures) => ({ state: failures + 1, newAttempt: true }),
    canRestart: (failures) => failures <= maxAttempts,
    delayMs: () => delayMs,
    restartsLeft: (failures) => Math.max(0, maxAttempts - failures),
  };
}
