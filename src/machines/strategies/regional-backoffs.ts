import type { AnyActorLogic } from 'xstate';
import type { RegionId } from '../../ids.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { Advisor, type AdvisorOptions } from './advisor.ts';
import type { RestartBackoffEmitted, RestartBackoffEvent, RestartBackoffInput } from './restart-backoff-machine.ts';

/** What a restart backoff answers. */
export type BackoffAnswer = Pick<RestartBackoffEmitted, 'canRestart' | 'delayMs' | 'newAttempt'>;

/** What the backoffs of a job have in common. */
export interface RegionalBackoffsOptions extends Pick<AdvisorOptions<BackoffAnswer>, 'id' | 'actors'> {
  readonly logic: AnyActorLogic;
  readonly input: RestartBackoffInput;
}

/** Actors of one backoff: one for each region that fails, and one for what fails the whole job. Made when they are asked. */
export class RegionalBackoffs {
  readonly #options: RegionalBackoffsOptions;
  readonly #backoffs = new Map<RegionId | 'job', Advisor<RestartBackoffEvent, BackoffAnswer>>();

  constructor(options: RegionalBackoffsOptions) {
    this.#options = options;
  }

  /** Whom to ask about a failure of `scope`; see {@link Advisor.expect}. */
  of(scope: RegionId | 'job'): Advisor<RestartBackoffEvent, BackoffAnswer> {
    let backoff = this.#backoffs.get(scope);
    if (backoff === undefined) {
      const { id, ...options } = this.#options;
      backoff = new Advisor({
        ...options,
        id: `${id}/${scope}`,
        answerType: 'backoff.decided',
        readAnswer: backoffAnswer,
      });
      this.#backoffs.set(scope, backoff);
    }
    return backoff;
  }

  stop(): void {
    for (const backoff of this.#backoffs.values()) backoff.stop();
  }
}

/** What a backoff emitted, which may be the user's, looked at once. @throws InvalidArgumentError for a promise */
function backoffAnswer(emitted: unknown): BackoffAnswer {
  const { canRestart, delayMs, newAttempt } = emitted as BackoffAnswer;
  for (const [name, value] of Object.entries({ canRestart, delayMs, newAttempt })) {
    if (isThenable(value)) refusePromise(`${name} of restartBackoff`, value);
  }
  return { canRestart, delayMs, newAttempt };
}
