import type { HeartbeatSettings } from '../../actors/protocol/heartbeat.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkInteger, checkOptions, longestTimerMs } from '../../options.ts';

/**
 * How the master and its executors watch each other. The times are a fifth of those that Flink has for clusters: what
 * shares a machine answers sooner.
 */
export interface HeartbeatOptions {
  /** Time between two heartbeats, in ms, from 1. Default 2 000. */
  readonly intervalMs?: number | undefined;
  /**
   * Silence after which the other end is lost, in ms; at least two intervals. Raise it where the network or the machine
   * is flaky: it is the buffer before tasks restart. Default five intervals.
   */
  readonly timeoutMs?: number | undefined;
  /** Heartbeats in a row that could not be sent, after which the other end is lost; Infinity for no limit. Default 2. */
  readonly failedSends?: number | undefined;
}

/** The settings with every default filled in. @throws InvalidArgumentError for an invalid one */
export function resolveHeartbeat(given: HeartbeatOptions | undefined): HeartbeatSettings | undefined {
  if (given === undefined) return undefined;
  checkOptions('heartbeat', given, { intervalMs: true, timeoutMs: true, failedSends: true });
  const { intervalMs = 2_000, failedSends = 2 } = given;
  const { timeoutMs = Math.min(5 * intervalMs, longestTimerMs) } = given;
  if (!(intervalMs >= 1 && intervalMs <= longestTimerMs / 2)) {
    throw new InvalidArgumentError(
      'heartbeat.intervalMs',
      intervalMs,
      `milliseconds from 1 to ${Math.floor(longestTimerMs / 2)}`,
    );
  }
  if (!(timeoutMs >= 2 * intervalMs && timeoutMs <= longestTimerMs)) {
    const expected = `milliseconds, at least two intervals (${2 * intervalMs}): one late heartbeat must not lose an executor`;
    throw new InvalidArgumentError('heartbeat.timeoutMs', timeoutMs, expected);
  }
  checkInteger('heartbeat.failedSends', failedSends, 1);
  return { intervalMs, timeoutMs, failedSends };
}
