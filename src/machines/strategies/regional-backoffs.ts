import type { AnyActorLogic } from 'xstate';
import type { BackoffKey } from '../../failover/backoffs/backoff-scope.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { Advisor, type AdvisorOptions } from './advisor.ts';
import type { RestartBackoffEmitted, RestartBackoffEvent, RestartBackoffInput } from './restart-backoff-machine.ts';

/** The answer of a restart backoff. */
export type BackoffAnswer = Pick<RestartBackoffEmitted, 'canRestart' | 'delayMs' | 'newAttempt' | 'restartsLeft'>;

/** Settings shared by the backoffs of a job. */
export interface RegionalBackoffsOptions extends Pick<AdvisorOptions<BackoffAnswer>, 'id' | 'actors'> {
  readonly logic: AnyActorLogic;
  readonly input: RestartBackoffInput;
}

/** The actors of one backoff: one per scope, such as a failing region, or the whole job. Created on demand. */
export class RegionalBackoffs {
  readonly #options: RegionalBackoffsOptions;
  readonly #backoffs = new Map<BackoffKey, Advisor<RestartBackoffEvent, BackoffAnswer>>();

  constructor(options: RegionalBackoffsOptions) {
    this.#options = options;
  }

  /** The actor to ask about a failure in `scope`; see {@link Advisor.expect}. */
  of(scope: BackoffKey): Advisor<RestartBackoffEvent, BackoffAnswer> {
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

/** Reads the event of a backoff, which may be user code, once. @throws InvalidArgumentError for a promise */
function backoffAnswer(emitted: unknown): BackoffAnswer {
  const { canRestart, delayMs, newAttempt, restartsLeft } = emitted as BackoffAnswer;
  for (const [name, value] of Object.entries({ canRestart, delayMs, newAttempt, restartsLeft })) {
    if (isThenable(value)) refusePromise(`${name} of restartBackoff`, value);
  }
  return { canRestart, delayMs, newAttempt, ...(isCount(restartsLeft) && { restartsLeft }) };
}

/** It is for observers alone, so that one that is no count does not overrule the backoff. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
