import type { Environment } from '../../environment.ts';
import { longestTimerMs } from '../../options.ts';
import type { CallKey, CallLimiter, CallLimits, CallRequest } from '../call-limiter.ts';
import { KeyPlaces } from './key-places.ts';
import { RateWindow } from './rate-window.ts';
import { TurnQueue } from './turn-queue.ts';

/** A call that somebody has asked for. */
interface Asked {
  readonly costs: readonly number[];
  readonly granted: () => void;
}

const never = Number.NEGATIVE_INFINITY;

/**
 * The limiter of one operator for those who run on this thread.
 *
 * Invariants:
 * - CL1 No stretch of an interval sees calls that cost more than its limit, whoever makes them.
 * - CL2 Who asked first is served first, also where those behind cost less: nobody waits for ever. Calls that are made again
 *   come before new ones.
 * - CL3 Who withdraws frees its place; where nobody waits no timer runs.
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
      logger.warn(`Calls of "${this.#operator}" pause for ${forMs} ms, as the service that they go to asks`, data);
    }
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.now() + forMs);
  }

  /** Whether nobody waits. */
  get #isIdle(): boolean {
    return this.#repeated.size + this.#new.size === 0;
  }

  get #isPaused(): boolean {
    // Asked before every call, and most never pause: those need no look at the clock.
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
