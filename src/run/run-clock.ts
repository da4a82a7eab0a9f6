import type { Clock } from '../environment.ts';

/**
 * The clock of one run. Timers still armed at the end of the run, such as those of an abandoned attempt or of a
 * strategy that never answered, are disarmed with it, so a finished run does not keep the process alive.
 */
export class RunClock implements Clock {
  readonly now: Clock['now'];
  readonly epochMs: Clock['epochMs'];
  readonly setImmediate: Clock['setImmediate'];
  readonly #clock: Clock;
  readonly #armed = new Set<{ timer: unknown }>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.now = clock.now.bind(clock);
    this.epochMs = clock.epochMs.bind(clock);
    this.setImmediate = clock.setImmediate.bind(clock);
  }

  setTimeout(callback: () => void, delayMs: number, kind?: 'background'): unknown {
    const entry: { timer: unknown } = { timer: undefined };
    if (this.#isClosed) return entry;
    entry.timer = this.#clock.setTimeout(
      () => {
        this.#armed.delete(entry);
        callback();
      },
      delayMs,
      kind,
    );
    this.#armed.add(entry);
    return entry;
  }

  clearTimeout(handle: unknown): void {
    const entry = handle as { timer: unknown } | undefined;
    if (entry !== undefined && this.#armed.delete(entry)) this.#clock.clearTimeout(entry.timer);
  }

  /** Disarms every timer. None is armed afterwards. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#armed) this.#clock.clearTimeout(timer);
    this.#armed.clear();
  }
}
