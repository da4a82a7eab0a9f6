import type { ByteBudget, YieldingBytes } from './byte-budget.ts';

/** What a reader may hold at first, and how much of that at most. */
const first = { bytes: 256 * 1_024, elements: 64 } as const;
const mostBytes = 4 * first.bytes;

/**
 * How much of a file one reader reads before its consumer asks for it: few bytes at first, and twice as many whenever its
 * consumer had to wait, as one does that takes more in its turn than was read in the meantime. The growth takes memory
 * that nobody else needs, and yields it.
 */
export class ReadAhead implements YieldingBytes {
  readonly #budget: ByteBudget;
  #borrowedBytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** About how many bytes. */
  get bytes(): number {
    return first.bytes + this.#borrowedBytes;
  }

  /** How many elements at most. */
  get elements(): number {
    return first.elements * (this.bytes / first.bytes);
  }

  /** Its consumer had to wait. */
  grow(): void {
    const more = this.bytes;
    if (this.bytes + more <= mostBytes && this.#budget.lend(more, this)) this.#borrowedBytes += more;
  }

  yield(): void {
    const bytes = this.#borrowedBytes;
    if (bytes === 0) return;
    // First, because a budget that shrinks when it gets something back asks its borrowers at once.
    this.#borrowedBytes = 0;
    this.#budget.giveBack(bytes);
  }

  /** Nothing more is read. */
  close(): void {
    this.yield();
    this.#budget.forget(this);
  }
}
