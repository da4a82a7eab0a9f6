import type { Clock } from './environment.ts';

/**
 * Turns of the event loop between the timer and the verdict. A timer fires before the answers that already lie in the
 * sockets are looked at: one turn hears them, one runs whom they woke, and one hears what these report.
 */
const turnsOfGrace = 3;

/**
 * Calls `expired` when `delayMs` have passed on `clock` and nobody has disarmed the deadline. The lateness of our own thread is
 * nobody's fault: by as much as the timer fires late it waits once more, and what has arrived by then is heard before the
 * verdict. Never calls on the caller's stack; on a virtual clock, which is never late, it expires at its instant.
 *
 * @param expired is told when the timer fired: what was due by then has been heard
 * @returns disarms it; afterwards, or a second time, it does nothing
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
 * Many deadlines of one length, each as {@link setDeadline} would set it, for one timer: of those the first is the first
 * that is due. The timer is not set anew when that one is disarmed; it finds out when it fires.
 *
 * Invariants:
 * - DQ1 None expires before it is due, nor while one that is due earlier is still armed.
 * - DQ2 Where none is armed no timer runs.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #delayMs: number;
  /** In the order in which they are due. */
  readonly #armed = new Set<QueuedDeadline>();
  #stopWatching: (() => void) | undefined;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** @returns disarms it; afterwards, or a second time, it does nothing */
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
