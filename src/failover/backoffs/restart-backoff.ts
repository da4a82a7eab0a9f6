import type { Random } from '../../environment.ts';

/**
 * A restart backoff as pure functions over a state: whether a failure leads to a restart, and when. (Flink:
 * `RestartBackoffTimeStrategy`.)
 */
export interface RestartBackoffRule<State = unknown> {
  readonly name: string;
  readonly initial: State;
  /** Records a failure; `newAttempt` is false if it was merged into the restart already planned. */
  onFailure(state: State, nowMs: number, random: Random): { readonly state: State; readonly newAttempt: boolean };
  canRestart(state: State, nowMs: number): boolean;
  /** Delay from `nowMs`, at least 0. */
  delayMs(state: State, nowMs: number): number;
  /** How many more failures may follow this one until the job fails, for observers. */
  restartsLeft?(state: State, nowMs: number): number;
}
