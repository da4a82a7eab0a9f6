/** Maximum number of entries per interval, besides those at one instant. */
const resolution = 1_024;

/** The amount spent between two nearby instants. */
interface Spent {
  readonly fromMs: number;
  untilMs: number;
  amount: number;
}

/**
 * Limits spending per interval: any interval of that length sees at most the limit. If the clock goes back, time stands
 * still.
 *
 * Amounts spent within a thousandth of the interval form one entry, which counts until the last of them expires. That
 * bounds the memory for any number of small amounts.
 */
export class RateWindow {
  readonly #amount: number;
  readonly #perMs: number;
  #spent: Spent[] = [];
  /** Index of the first entry that has not expired. */
  #first = 0;
  #sum = 0;
  /** What may be spent at any time, and how many hold it. */
  #held = 0;
  #holds = 0;
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(amount: number, perMs: number) {
    this.#amount = amount;
    this.#perMs = perMs;
  }

  /**
   * How long `amount` has to wait at `nowMs`; 0 if it can be spent now; Infinity if what is held must be spent or given
   * back first. `amount` is at most the limit.
   */
  waitMs(amount: number, nowMs: number): number {
    this.#moveTo(nowMs);
    let left = this.#sum + this.#held + amount - this.#amount;
    let untilMs = Number.NEGATIVE_INFINITY;
    // Rounding may leave a rest after the last entry: there is room once all entries have expired.
    for (let at = this.#first; left > 0 && at < this.#spent.length; at++) {
      const spent = this.#spent[at] as Spent;
      left -= spent.amount;
      untilMs = spent.untilMs;
    }
    if (left > 0 && this.#holds > 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, untilMs + this.#perMs - this.#nowMs);
  }

  /** Keeps room for `amount`, which may be spent at any time from now on. */
  hold(amount: number): void {
    this.#held += amount;
    this.#holds++;
  }

  /** Ends a hold: its amount was spent, and `spend` follows, or will not be. */
  release(amount: number): void {
    this.#held = --this.#holds === 0 ? 0 : this.#held - amount;
  }

  /** Records that `amount` was spent at `nowMs`. */
  spend(amount: number, nowMs: number): void {
    this.#moveTo(nowMs);
    this.#sum += amount;
    const last = this.#spent.at(-1);
    if (last !== undefined && this.#nowMs - last.fromMs <= this.#perMs / resolution) {
      last.untilMs = this.#nowMs;
      last.amount += amount;
    } else this.#spent.push({ fromMs: this.#nowMs, untilMs: this.#nowMs, amount });
  }

  #moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    let oldest = this.#spent[this.#first];
    while (oldest !== undefined && this.#nowMs - oldest.untilMs >= this.#perMs) {
      this.#sum -= oldest.amount;
      oldest = this.#spent[++this.#first];
    }
    if (this.#first * 2 <= this.#spent.length) return;
    this.#spent = this.#spent.slice(this.#first);
    this.#first = 0;
    // Floating-point sums drift; without entries the sum is exactly 0 again.
    if (this.#spent.length === 0) this.#sum = 0;
  }
}
