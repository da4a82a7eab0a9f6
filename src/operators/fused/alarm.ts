import type { StageClock } from '../operator-stage.ts';

/** No timer of the platform waits longer, in ms. */
const longestMs = 2 ** 31 - 1;

/** Calls back at a wall-clock time, once or, if the clock was set back, more often. */
export class Alarm {
  readonly #clock: StageClock;
  readonly #ring: () => void;
  #armed: { readonly atMs: number; readonly handle: unknown } | undefined;

  constructor(clock: StageClock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** @param atMs undefined for no time at all */
  set(atMs: number | undefined): void {
    if (this.#armed?.atMs === atMs) return;
    if (this.#armed !== undefined) this.#clock.clearTimeout(this.#armed.handle);
    if (atMs === undefined) {
      this.#armed = undefined;
      return;
    }
    const delayMs = Math.min(longestMs, Math.max(0, Math.ceil(atMs - this.#clock.epochMs())));
    const ring = (): void => {
      this.#armed = undefined;
      this.#ring();
    };
    this.#armed = { atMs, handle: this.#clock.setTimeout(ring, delayMs) };
  }
}
