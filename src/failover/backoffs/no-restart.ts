import { checkNoArguments } from '../../options.ts';
import type { RestartBackoffRule } from './restart-backoff.ts';

/** Never restarts: the first failure fails the job. */
export function noRestart(...given: readonly never[]): RestartBackoffRule<null> {
  checkNoArguments('noRestart', given);
  return {
    name: 'none',
    initial: null,
    onFailure: (state) => ({ state, newAttempt: true }),
    canRestart: () => false,
    delayMs: () => 0,
  };
}
