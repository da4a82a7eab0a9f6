import type { Environment } from '../../environment.ts';
import { longestTimerMs } from '../../options.ts';
import type { CallKey, CallLimiter, CallLimits, CallRequest } from '../call-limiter.ts';
import { KeyPlaces } from './key-places.ts';
import { RateWindow } from './rate-window.ts';
import { TurnQueue } from './turn-queue.ts';

/** A requested call. */
interface Asked {
  readonly costs: readonly number[];
  /** Whether it is made on another thread, some time after its grant. */
  readonly isElsewhere: boolean;
  readonly granted: () => void;
}

/** A call that is requested for another thread, which makes it some time after its grant. */
export interface CallElsewhere {
  /** It was made. */
  made(): void;
  /** It is not made: its request is withdrawn, or its grant returned. */
  withdraw(): void;
}

const never = Number.NEGATIVE_INFINITY;

/**
 * The call limiter of one operator on this thread.
 *
 * Invariants:
 * - CL1 In any interval of a limit's length, the calls of all subtasks together cost at most the limit. A call elsewhere
 *   counts from its grant until it is known to have been made, and then for that length.
 * - CL2 First come, first served, even if a later call costs less, so no call starves. Repeated calls go before new
 *   ones.
 * - CL3 A withdrawn request frees its place; without waiting requests no timer runs.
 */
export class LocalCallLimiter implements CallLimiter {
  readonly #operator: string;
  readonly #environment: Environment;
  readonly #windows: readonly RateWindow[];
  readonly #places: KeyPlaces;
  readonly #repeated = new TurnQueue<Asked>();
  readonly #new = new TurnQueue<Asked>();
  #pausedUntilMs = never;
  #timer: unknown;
  #isTurnComing = false;

  constructor(operator: string, { rates, perKey = Number.POSITIVE_INFINITY }: CallLimits, environment: Environment) {
    this.#operator = operator;
    this.#environment = environment;
    this.#windows = rates.map(({ amount, perMs }) => new RateWindow(amount, perMs));
    this.#places = new KeyPlaces(environment.clock, perKey);
  }

  get isOpen(): boolean {
    return this.#windows.length === 0 && this.#isIdle && !this.#isPaused;
  }

  requestCall({ costs, isRepeated }: CallRequest, granted: () => void): () => void {
    return this.#request({ costs, isElsewhere: false, granted }, isRepeated);
  }

  /** As `requestCall`, for a call on another thread. */
  requestCallElsewhere({ costs, isRepeated }: CallRequest, granted: () => void): CallElsewhere {
    let isGranted = false;
    const asked: Asked = {
      costs,
      isElsewhere: true,
      granted: () => {
        isGranted = true;
        granted();
      },
    };
    const withdraw = this.#request(asked, isRepeated);
    const end = (wasMade: boolean): void => {
      if (!isGranted) return withdraw();
      isGranted = false;
      const nowMs = this.#environment.clock.now();
      for (const [index, window] of this.#windows.entries()) {
        window.release(costs[index] as number);
        if (wasMade) window.spend(costs[index] as number, nowMs);
      }
      if (!this.#isIdle) this.#serveSoon();
    };
    return { made: () => end(true), withdraw: () => end(false) };
  }

  #request(asked: Asked, isRepeated: boolean): () => void {
    const queue = isRepeated ? this.#repeated : this.#new;
    queue.add(asked);
    this.#serveSoon();
    return () => {
      if (!queue.delete(asked)) return;
      if (this.#isIdle) this.#disarm();
      else this.#serveSoon();
    };
  }

  requestPlace(key: CallKey, granted: () => void): () => void {
    return this.#places.request(key, granted);
  }

  pause(forMs: number): void {
    const { clock, logger } = this.#environment;
    if (forMs > 0 && !this.#isPaused) {
      const data = { operator: this.#operator, pauseMs: forMs };
      logger.warn(`Calls of "${this.#operator}" pause for ${forMs} ms, as their service asks`, data);
    }
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.now() + forMs);
  }

  /** Whether no request waits. */
  get #isIdle(): boolean {
    return this.#repeated.size + this.#new.size === 0;
  }

  get #isPaused(): boolean {
    // Called before every call; the common case, no pause, does not read the clock.
    return this.#pausedUntilMs !== never && this.#environment.clock.now() < this.#pausedUntilMs;
  }

  #serveSoon(): void {
    if (this.#isTurnComing) return;
    this.#isTurnComing = true;
    this.#environment.clock.setImmediate(() => {
      this.#isTurnComing = false;
      this.#serve();
    });
  }

  #serve(): void {
    const { clock } = this.#environment;
    this.#disarm();
    for (;;) {
      const queue = this.#repeated.size > 0 ? this.#repeated : this.#new;
      const asked = queue.first;
      if (asked === undefined) return;
      const nowMs = clock.now();
      const waitMs = this.#waitMs(asked, nowMs);
      // Until calls elsewhere were made.
      if (waitMs === Number.POSITIVE_INFINITY) return;
      if (waitMs > 0) {
        this.#timer = clock.setTimeout(() => this.#serve(), Math.min(waitMs, longestTimerMs));
        return;
      }
      for (const [index, window] of this.#windows.entries()) {
        if (asked.isElsewhere) window.hold(asked.costs[index] as number);
        else window.spend(asked.costs[index] as number, nowMs);
      }
      queue.delete(asked);
      asked.granted();
    }
  }

  #waitMs({ costs }: Asked, nowMs: number): number {
    let waitMs = this.#pausedUntilMs - nowMs;
    for (const [index, window] of this.#windows.entries()) {
      waitMs = Math.max(waitMs, window.waitMs(costs[index] as number, nowMs));
    }
    return waitMs;
  }

  #disarm(): void {
    this.#environment.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
