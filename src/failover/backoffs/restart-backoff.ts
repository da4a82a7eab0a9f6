import type { Random } from '../../environment.ts';

/**
 * A restart backoff as pure functions over a state: whether a failure may be followed by a restart, and when.
 * (Flink: `RestartBackoffTimeStrategy`.)
 */
export interface RestartBackoffRule<State = unknown> {
  readonly name: string;
  readonly initial: State;
  /** Takes note of a failure; `newAttempt` is false if it was merged into the restart that is already planned. */
  onFailure(state: State, nowMs: number, random: Random): { readonly state: State; readonly newAttempt: boolean };
  canRestart(state: State, nowMs: number): boolean;
  /** How long to wait from `nowMs`, 0 or more. */
  delayMs(state: State, nowMs: number): number;
}
