/** A key of calls: what another thread or process understands as well. */
export type CallKey = string | number | bigint | boolean | null | undefined;

/** What is asked for. */
export interface CallRequest {
  /** What the call costs of each limit, in their order. */
  readonly costs: readonly number[];
  /** Whether it was made before, in vain. */
  readonly isRepeated: boolean;
}

/** What an operator's calls are held to. */
export interface CallLimits {
  /** What each stretch of `perMs` may see of each cost. */
  readonly rates: readonly { readonly amount: number; readonly perMs: number }[];
  /** Calls under way per key; undefined for any number. */
  readonly perKey: number | undefined;
}

/**
 * What the calls of one operator owe to the outside world, over all subtasks and attempts of a run. Asked by plain values,
 * answered by callbacks that never come on the asker's stack: whoever grants may be elsewhere.
 */
export interface CallLimiter {
  /** Whether calls may be made without asking: there is no limit per time, nothing is paused, and nobody waits. */
  readonly isOpen: boolean;
  /**
   * Asks for leave to make one call; `granted` comes when it may be made, at once then. First come, first served; a call that
   * is made again comes before those that are new.
   *
   * @returns gives up its place; after the grant, nothing
   */
  requestCall(request: CallRequest, granted: () => void): () => void;
  /**
   * Asks for one of the places of a key; first come, first served for each key.
   *
   * @returns gives the place back, or up what was asked for
   */
  requestPlace(key: CallKey, granted: () => void): () => void;
  /**
   * No call is made for so long from now: the outside world asks for it. 0: it may be
   * made at once, in its turn. A pause that is under way is not shortened.
   */
  pause(forMs: number): void;
}

/** The limiters of a run: one per operator, for all of its subtasks and attempts. */
export interface CallLimiterRegistry {
  /** That of the operator called `uid`; made with `limits` when it is first asked for. */
  limiterOf(uid: string, limits: CallLimits): CallLimiter;
}
