import type { Clock } from './environment.ts';

/** How many records may pass before the clock is read again. */
const mostBetween = 64;

/**
 * Tells a loop over records, each of which runs code of the user, when to let others have the thread. Reads the clock for
 * each record only while records take long.
 */
export class TimeSlice {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #sliceMs: number;
  #beganMs = 0;
  #readMs = 0;
  #between = 1;
  #left = 1;

  /** @param sliceMs default 2, as tasks have */
  constructor(clock: Pick<Clock, 'now'>, sliceMs = 2) {
    this.#clock = clock;
    this.#sliceMs = sliceMs;
  }

  begin(): void {
    this.#beganMs = this.#readMs = this.#clock.now();
    this.#left = this.#between;
  }

  /** Whether the time is over. Asked once after each record. */
  isOver(): boolean {
    if (--this.#left > 0) return false;
    const nowMs = this.#clock.now();
    if ((nowMs - this.#readMs) * 4 > this.#sliceMs) this.#between = Math.max(1, this.#between >> 2);
    else if (this.#between < mostBetween) this.#between *= 2;
    this.#readMs = nowMs;
    this.#left = this.#between;
    return nowMs - this.#beganMs >= this.#sliceMs;
  }
}
