import type { Clock } from './environment.ts';

/**
 * Turns of the event loop between the timer and the verdict. A timer fires before answers already waiting in sockets
 * are read: one turn reads them, one runs the code they wake, one writes what is to be remembered, and one receives what
 * that reports.
 */
const turnsOfGrace = 4;

/**
 * Calls `expired` when `delayMs` have passed on `clock`, unless disarmed. A late timer of our own thread must not cause
 * an expiry: the deadline waits again for as long as the timer was late, and receives answers that arrived by then
 * before the verdict. Never calls on the caller's stack. A virtual clock is never late; there it expires on time.
 *
 * @param expired gets the time at which the timer fired; all answers due by then have been received
 * @returns disarms the deadline; no effect after it expired, or when called again
 */
export function setDeadline(clock: Clock, delayMs: number, expired: (firedMs: number) => void): () => void {
  const dueMs = clock.now() + delayMs;
  let isArmed = true;
  const hear = (firedMs: number, turns: number): void => {
    if (!isArmed) return;
    if (turns > 0) {
      clock.setImmediate(() => hear(firedMs, turns - 1));
      return;
    }
    isArmed = false;
    expired(firedMs);
  };
  let timer = clock.setTimeout(() => {
    const firedMs = clock.now();
    const lateMs = firedMs - dueMs;
    if (lateMs > 0) timer = clock.setTimeout(() => hear(firedMs, turnsOfGrace), lateMs);
    else hear(firedMs, turnsOfGrace);
  }, delayMs);
  return () => {
    isArmed = false;
    clock.clearTimeout(timer);
  };
}

/** One of a {@link DeadlineQueue}. */
interface QueuedDeadline {
  readonly dueMs: number;
  readonly expired: () => void;
}

/**
 * Many deadlines of equal length, each as set by {@link setDeadline}, with a single timer: the deadline added first is
 * due first. Disarming the first one does not reset the timer; the timer notices when it fires.
 *
 * Invariants:
 * - DQ1 No deadline expires before it is due, nor while an earlier one is still armed.
 * - DQ2 Without an armed deadline no timer runs.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #delayMs: number;
  /** In order of due time. */
  readonly #armed = new Set<QueuedDeadline>();
  #stopWatching: (() => void) | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** @returns disarms the deadline; no effect after it expired, or when called again */
  add(expired: () => void): () => void {
    const deadline: QueuedDeadline = { dueMs: this.#clock.now() + this.#delayMs, expired };
    this.#armed.add(deadline);
    if (this.#stopWatching === undefined) this.#watch();
    return () => {
      if (!this.#armed.delete(deadline) || this.#armed.size > 0) return;
      this.#stopWatching?.();
      this.#stopWatching = undefined;
    };
  }

  #watch(): void {
    const [first] = this.#armed;
    if (first === undefined) return;
    const leftMs = Math.max(0, first.dueMs - this.#clock.now());
    this.#stopWatching = setDeadline(this.#clock, leftMs, (firedMs) => this.#judge(firedMs));
  }

  #judge(firedMs: number): void {
    this.#stopWatching = undefined;
    for (const deadline of this.#armed) {
      if (deadline.dueMs > firedMs) break;
      this.#armed.delete(deadline);
      deadline.expired();
    }
    if (this.#stopWatching === undefined) this.#watch();
  }
}
