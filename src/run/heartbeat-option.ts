import type { HeartbeatSettings } from '../actors/protocol/heartbeat.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { checkOptions } from '../options.ts';

/**
 * How the master and its executors watch each other. The times are a fifth of those that Flink has for clusters: what
 * shares a machine answers sooner.
 */
export interface HeartbeatOptions {
  /** Time between two heartbeats, in ms. Default 2 000. */
  readonly intervalMs?: number | undefined;
  /**
   * Silence after which the other end is lost, in ms; at least two intervals. Raise it where the network or the machine
   * is flaky: it is the buffer before tasks restart. Default 10 000.
   */
  readonly timeoutMs?: number | undefined;
  /** Heartbeats in a row that could not be sent, after which the other end is lost; Infinity for no limit. Default 2. */
  readonly failedSends?: number | undefined;
}

/** The longest delay of a Node timer. */
const longestTimerMs = 2 ** 31 - 1;

/** The settings with every default filled in. @throws InvalidArgumentError for an invalid one */
export function resolveHeartbeat(given: HeartbeatOptions | undefined): HeartbeatSettings | undefined {
  if (given === undefined) return undefined;
  checkOptions('heartbeat', given, { intervalMs: true, timeoutMs: true, failedSends: true });
  const { intervalMs = 2_000, timeoutMs = 5 * intervalMs, failedSends = 2 } = given;
  if (!(intervalMs >= 1 && intervalMs <= longestTimerMs / 2)) {
    throw new InvalidArgumentError('heartbeat.intervalMs', intervalMs, 'milliseconds from 1');
  }
  if (!(timeoutMs >= 2 * intervalMs && timeoutMs <= longestTimerMs)) {
    const expected = `milliseconds, at least two intervals (${2 * intervalMs}): one late heartbeat must not lose an executor`;
    throw new InvalidArgumentError('heartbeat.timeoutMs', timeoutMs, expected);
  }
  if (failedSends !== Infinity && !(Number.isInteger(failedSends) && failedSends >= 1)) {
    throw new InvalidArgumentError('heartbeat.failedSends', failedSends, 'an integer ≥ 1 or Infinity');
  }
  return { intervalMs, timeoutMs, failedSends };
}
