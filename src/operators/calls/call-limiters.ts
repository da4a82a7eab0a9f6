import type { Environment } from '../../environment.ts';
import type { CallLimiterRegistry, CallLimits } from '../call-limiter.ts';
import { LocalCallLimiter } from './local-call-limiter.ts';

/** The limiters of one run: one per operator, for all of its subtasks and attempts. */
export class CallLimiters implements CallLimiterRegistry {
  readonly #environment: Environment;
  readonly #limiterByUid = new Map<string, LocalCallLimiter>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The limiter of operator `uid`; created with `limits` on first use. */
  limiterOf(uid: string, limits: CallLimits): LocalCallLimiter {
    let limiter = this.#limiterByUid.get(uid);
    if (limiter === undefined) {
      limiter = new LocalCallLimiter(uid, limits, this.#environment);
      this.#limiterByUid.set(uid, limiter);
    }
    return limiter;
  }
}
