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
 * @returns disarms it; afterwards, or a second time, it does nothing
 */
export function setDeadline(clock: Clock, delayMs: number, expired: () => void): () => void {
  const dueMs = clock.now() + delayMs;
  let isArmed = true;
  const hear = (turns: number): void => {
    if (!isArmed) return;
    if (turns > 0) {
      clock.setImmediate(() => hear(turns - 1));
      return;
    }
    isArmed = false;
    expired();
  };
  let timer = clock.setTimeout(() => {
    const lateMs = clock.now() - dueMs;
    if (lateMs > 0) timer = clock.setTimeout(() => hear(turnsOfGrace), lateMs);
    else hear(turnsOfGrace);
  }, delayMs);
  return () => {
    isArmed = false;
    clock.clearTimeout(timer);
  };
}
