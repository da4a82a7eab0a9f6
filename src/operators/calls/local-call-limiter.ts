import type { Environment } from '../../environment.ts';
import { longestTimerMs } from '../../options.ts';
import type { CallKey, CallLimiter, CallLimits, CallRequest } from '../call-limiter.ts';
import { KeyPlaces } from './key-places.ts';
import { RateWindow } from './rate-window.ts';
import { TurnQueue } from './turn-queue.ts';

/** A requested call. */
interface Asked {
  readonly costs: readonly number[];
  readonly granted: () => void;
}

const never = Number.NEGATIVE_INFINITY;

/**
 * The call limiter of one operator on this thread.
 *
 * Invariants:
 * - CL1 In any interval of a limit's length, the calls of all subtasks together cost at most the limit.
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
    const asked: Asked = { costs, granted };
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
      if (waitMs > 0) {
        this.#timer = clock.setTimeout(() => this.#serve(), Math.min(waitMs, longestTimerMs));
        return;
      }
      for (const [index, window] of this.#windows.entries()) window.spend(asked.costs[index] as number, nowMs);
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
