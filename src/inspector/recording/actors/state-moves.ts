import type { NumberedMove } from '../recording-line.ts';

/** How often something went from one of a few states to another. */
export class StateMoves {
  readonly #stateCount: number;
  /** By the state before, none first, and the state after. */
  readonly #counts: Uint32Array;

  constructor(stateCount: number, plain: readonly NumberedMove[] = []) {
    this.#stateCount = stateCount;
    this.#counts = new Uint32Array((stateCount + 1) * stateCount);
    for (const [from, to, count] of plain) this.add(from, to, count);
  }

  /** @param from -1 for none; `to` -1 for an unknown one, which is not counted */
  add(from: number, to: number, count = 1): void {
    if (to < 0) return;
    const at = (from + 1) * this.#stateCount + to;
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
  }

  /** Those that were made. */
  toPlain(): NumberedMove[] {
    return Array.from(this.#counts, (count, at): NumberedMove => {
      const to = at % this.#stateCount;
      return [(at - to) / this.#stateCount - 1, to, count];
    }).filter(([, , count]) => count > 0);
  }
}
