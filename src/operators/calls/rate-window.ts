/** Entries that an interval is counted in at the most, besides those of one instant. */
const resolution = 1_024;

/** What was spent between two instants that lie close together. */
interface Spent {
  readonly fromMs: number;
  untilMs: number;
  amount: number;
}

/**
 * Holds what is spent to so much per interval: any stretch of that length sees no more. Time that goes back stands still.
 *
 * What was spent within a thousandth of the interval is one entry and counts until the last of it is over, so that memory is
 * bounded however small the parts are.
 */
export class RateWindow {
  readonly #amount: number;
  readonly #perMs: number;
  #spent: Spent[] = [];
  /** Entries before it are over. */
  #first = 0;
  #sum = 0;
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(amount: number, perMs: number) {
    this.#amount = amount;
    this.#perMs = perMs;
  }

  /** How long `amount` has to wait at `nowMs`; 0 if it may be spent now. At most what one interval may see. */
  waitMs(amount: number, nowMs: number): number {
    this.#moveTo(nowMs);
    let left = this.#sum + amount - this.#amount;
    let untilMs = Number.NEGATIVE_INFINITY;
    // Rounded, something may be left after the last entry: there is room once all of them are over, and not before.
    for (let at = this.#first; left > 0 && at < this.#spent.length; at++) {
      const spent = this.#spent[at] as Spent;
      left -= spent.amount;
      untilMs = spent.untilMs;
    }
    return Math.max(0, untilMs + this.#perMs - this.#nowMs);
  }

  /** Notes that `amount` is spent at `nowMs`. */
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
    // Parts of an amount do not add up to what they were taken from: nothing is nothing again.
    if (this.#spent.length === 0) this.#sum = 0;
  }
}
