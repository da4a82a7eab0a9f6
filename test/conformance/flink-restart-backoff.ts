import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import { type ExponentialDelayOptions, exponentialDelay } from '../../src/failover/backoffs/exponential-delay.ts';
import { failureRate } from '../../src/failover/backoffs/failure-rate.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';

/** A restart backoff as Flink's configuration names it. Omitted options have Flink's defaults. */
export type FlinkRestartBackoff =
  | { readonly type: 'none' }
  | { readonly type: 'fixed-delay'; readonly maxAttempts?: number; readonly delayMs?: number }
  | {
      readonly type: 'failure-rate';
      readonly maxFailuresPerInterval?: number;
      readonly intervalMs?: number;
      readonly delayMs?: number;
    }
  | ({ readonly type: 'exponential-delay' } & ExponentialDelayOptions);

/** Flink's defaults where they differ from ours: a longer first delay and unlimited attempts. */
const flinkExponentialDelay: ExponentialDelayOptions = {
  initialDelayMs: 1_000,
  maxAttempts: Number.POSITIVE_INFINITY,
};

/**
 * The restart backoff that Flink's configuration selects for a job: the first level with a setting wins. Without any
 * setting: exponential delay if checkpoints limit the work that a restart repeats, otherwise no restart.
 * (Flink: `RestartBackoffTimeStrategyFactoryLoader`.)
 *
 * @param levels the most specific first: the run, the job, the cluster
 * @throws InvalidArgumentError for a type that does not exist
 */
export function flinkRestartBackoff(
  levels: readonly (FlinkRestartBackoff | undefined)[],
  options: { readonly checkpointing: boolean },
): RestartBackoffRule {
  const config = levels.find((level) => level !== undefined);
  if (config === undefined) return options.checkpointing ? exponentialDelay(flinkExponentialDelay) : noRestart();
  switch (config.type) {
    case 'none':
      return noRestart();
    case 'fixed-delay':
      return fixedDelay({ maxAttempts: config.maxAttempts ?? 1, delayMs: config.delayMs ?? 1_000 });
    case 'failure-rate':
      return failureRate({
        maxFailuresPerInterval: config.maxFailuresPerInterval ?? 1,
        intervalMs: config.intervalMs ?? 60_000,
        delayMs: config.delayMs ?? 1_000,
      });
    case 'exponential-delay': {
      const { type: _, ...options } = config;
      return exponentialDelay({ ...flinkExponentialDelay, ...options });
    }
    default:
      throw new InvalidArgumentError(
        'restartBackoff type',
        (config as { type: unknown }).type,
        '"none", "fixed-delay", "failure-rate" or "exponential-delay"',
      );
  }
}
