import type { Clock } from '../environment.ts';

/** Holds calls to so many per interval: any stretch of that length sees no more. */
export class CallRate {
  readonly #clock: Clock;
  readonly #perMs: number;
  /** When the latest calls were made: a ring, the oldest at `#next` once it is full. */
  readonly #madeMs: number[] = [];
  readonly #calls: number;
  #next = 0;

  constructor(clock: Clock, { calls, perMs }: { readonly calls: number; readonly perMs: number }) {
    this.#clock = clock;
    this.#calls = calls;
    this.#perMs = perMs;
  }

  /** How long the next call has to wait; 0 if it may be made now. */
  get waitMs(): number {
    if (this.#madeMs.length < this.#calls) return 0;
    return Math.max(0, (this.#madeMs[this.#next] as number) + this.#perMs - this.#clock.now());
  }

  /** Notes that a call is made now. */
  note(): void {
    this.#madeMs[this.#next] = this.#clock.now();
    this.#next = (this.#next + 1) % this.#calls;
  }
}
