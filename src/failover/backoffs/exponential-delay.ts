import { IllegalStateError, InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkOptions, longestTimerMs } from '../../options.ts';
import type { RestartBackoffRule } from './restart-backoff.ts';

/** Options of {@link exponentialDelay}. The defaults are also the default backoff of a run. */
export interface ExponentialDelayOptions {
  /** First delay, at least 1 ms. Default 100. */
  readonly initialDelayMs?: number | undefined;
  /** Longest delay. Default 60 000. */
  readonly maxDelayMs?: number | undefined;
  /** Growth from attempt to attempt, more than 1. Default 1.5. */
  readonly multiplier?: number | undefined;
  /** Failure-free time after a delay, after which earlier attempts are forgotten. Default one hour. */
  readonly resetThresholdMs?: number | undefined;
  /** Random variation as a fraction of the delay, from 0 to 1. Default 0.1. */
  readonly jitterFactor?: number | undefined;
  /** Attempts before the job fails; forgotten after failure-free time. Default 5. */
  readonly maxAttempts?: number | undefined;
}

/** Attempts counted since the last reset, and the time of the planned restart. */
export interface ExponentialDelayState {
  readonly attempts: number;
  readonly restartAtMs: number | undefined;
}

/**
 * Restarts after growing delays. Failures before the planned restart count as one attempt with it (FLIP-364). (Flink:
 * `ExponentialDelayRestartBackoffTimeStrategy`; its Java cast saturates after about 63 doublings, this one does not.)
 */
export function exponentialDelay(options: ExponentialDelayOptions = {}): RestartBackoffRule<ExponentialDelayState> {
  checkOptions('exponentialDelay', options, {
    initialDelayMs: true,
    maxDelayMs: true,
    multiplier: true,
    resetThresholdMs: true,
    jitterFactor: true,
    maxAttempts: true,
  });
  const {
    initialDelayMs = 100,
    maxDelayMs = 60_000,
    multiplier = 1.5,
    resetThresholdMs = 3_600_000,
    jitterFactor = 0.1,
    maxAttempts = 5,
  } = options;
  const check = (argument: string, given: number, isValid: boolean, expected: string): void => {
    if (typeof given !== 'number' || !isValid)
      throw new InvalidArgumentError(`exponentialDelay ${argument}`, given, expected);
  };
  check(
    'initialDelayMs',
    initialDelayMs,
    initialDelayMs >= 1 && initialDelayMs <= longestTimerMs,
    `milliseconds from 1 to ${longestTimerMs}`,
  );
  check(
    'maxDelayMs',
    maxDelayMs,
    maxDelayMs >= initialDelayMs && maxDelayMs <= longestTimerMs,
    `milliseconds from initialDelayMs (${initialDelayMs}) to ${longestTimerMs}`,
  );
  check('multiplier', multiplier, multiplier > 1 && Number.isFinite(multiplier), 'a finite number > 1');
  check('resetThresholdMs', resetThresholdMs, resetThresholdMs >= 1, 'a number ≥ 1');
  check('jitterFactor', jitterFactor, jitterFactor >= 0 && jitterFactor <= 1, 'a number from 0 to 1');
  check('maxAttempts', maxAttempts, maxAttempts >= 1, 'a number ≥ 1');
  return {
    name: 'exponential-delay',
    initial: { attempts: 0, restartAtMs: undefined },
    onFailure(state, nowMs, random) {
      if (state.restartAtMs !== undefined && nowMs <= state.restartAtMs) return { state, newAttempt: false };
      const wasQuiet = state.restartAtMs !== undefined && nowMs - state.restartAtMs >= resetThresholdMs;
      const attempts = wasQuiet ? 0 : state.attempts;
      const base = Math.min(Math.trunc(initialDelayMs * multiplier ** attempts), Number.MAX_SAFE_INTEGER);
      const reach = Math.floor(base * jitterFactor);
      const offset = Math.floor(random.next() * (2 * reach + 1)) - reach;
      const delayMs = Math.max(initialDelayMs, Math.min(base + offset, maxDelayMs));
      return { state: { attempts: attempts + 1, restartAtMs: nowMs + delayMs }, newAttempt: true };
    },
    canRestart: ({ attempts }) => attempts <= maxAttempts,
    restartsLeft: ({ attempts }) => Math.max(0, maxAttempts - attempts),
    delayMs({ restartAtMs }, nowMs) {
      if (restartAtMs === undefined) throw new IllegalStateError('The delay was asked for before any failure');
      return Math.max(0, restartAtMs - nowMs);
    },
  };
}
