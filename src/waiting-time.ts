import type { Clock } from './environment.ts';

/** Adds up waits. Costs two readings of the clock per wait. */
export class WaitingTime {
  readonly #clock: Pick<Clock, 'now'>;
  #pastMs = 0;
  #sinceMs: number | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** It waits from now on, if it does not already. */
  begin(): void {
    this.#sinceMs ??= this.#clock.now();
  }

  /** It does not wait any more, if it did. */
  end(): void {
    if (this.#sinceMs === undefined) return;
    this.#pastMs += this.#clock.now() - this.#sinceMs;
    this.#sinceMs = undefined;
  }

  /** With the present wait. */
  get totalMs(): number {
    return this.#pastMs + (this.#sinceMs === undefined ? 0 : this.#clock.now() - this.#sinceMs);
  }
}
