/** A key of calls: a plain value that another thread or process understands too. */
export type CallKey = string | number | bigint | boolean | null | undefined;

/** A request to make one call. */
export interface CallRequest {
  /** The cost of the call for each limit, in order. */
  readonly costs: readonly number[];
  /** Whether an earlier try of this call failed. */
  readonly isRepeated: boolean;
}

/** The limits on the calls of an operator. */
export interface CallLimits {
  /** The amount that any interval of `perMs` may spend, per cost. */
  readonly rates: readonly { readonly amount: number; readonly perMs: number }[];
  /** Maximum calls under way per key; undefined for no limit. */
  readonly perKey: number | undefined;
}

/**
 * Limits the calls of one operator to the outside world, over all subtasks and attempts of a run. Requests are plain
 * values and grants are callbacks, never on the caller's stack, so the limiter may live in another process.
 */
export interface CallLimiter {
  /** Whether calls need no grant: there is no rate limit, no pause, and no waiting call. */
  readonly isOpen: boolean;
  /**
   * Requests one call; the caller makes it as soon as `granted` is called. First come, first served; repeated calls go
   * before new ones.
   *
   * @returns withdraws the request; no effect after the grant
   */
  requestCall(request: CallRequest, granted: () => void): () => void;
  /**
   * Requests one of the places of a key; first come, first served per key.
   *
   * @returns releases the place, or withdraws the request
   */
  requestPlace(key: CallKey, granted: () => void): () => void;
  /**
   * Pauses all calls for `forMs` from now, because the outside world asks for it. 0 pauses nothing. A longer pause
   * under way is not shortened.
   */
  pause(forMs: number): void;
}

/** The limiters of a run: one per operator, for all of its subtasks and attempts. */
export interface CallLimiterRegistry {
  /** The limiter of operator `uid`; created with `limits` on first use. */
  limiterOf(uid: string, limits: CallLimits): CallLimiter;
}
