import type { StateTable } from '../../state/tables/state-table.ts';

/** What records of a key were folded into, for the `aggregate` that merges it with others. */
export interface Partial {
  readonly key: unknown;
  readonly accumulator: unknown;
}

/** Maximum keys with an accumulator. */
const mostPartialKeys = 8_192;

/** Number of records of other keys that are passed on before the keys with an accumulator are chosen anew. */
const passedPerChoice = 16 * mostPartialKeys;

/**
 * The results of a partial aggregate, which holds accumulators for so many keys: the first that come. Records of other keys
 * are passed on, each in an accumulator of its own. After many of these it hands on all accumulators, and chooses again. So
 * few keys, and hot ones, are folded, and where folding saves nothing it costs little.
 *
 * It depends on nothing but the order of the records, so a task that reads the same again has the same results.
 */
export class PartialResults {
  readonly #accumulators: StateTable;
  #passed = 0;

  constructor(accumulators: StateTable) {
    this.#accumulators = accumulators;
  }

  /** Whether a record of a key without an accumulator is to be passed on. */
  get isFull(): boolean {
    return this.#accumulators.front.size >= mostPartialKeys;
  }

  /** Number of records that were passed on since the keys were chosen. */
  get passed(): number {
    return this.#passed;
  }

  /** Continues where another one was that had passed on so many records. */
  restore(passed: number): void {
    this.#passed = passed;
  }

  /** Passes on a record of another key. */
  pass(key: unknown, accumulator: unknown, out: unknown[]): void {
    out.push({ key, accumulator } satisfies Partial);
    if (++this.#passed >= passedPerChoice) this.handOn(out);
  }

  /** Hands on all accumulators. */
  handOn(out: unknown[]): void {
    this.#passed = 0;
    for (const [held, cell] of this.#accumulators.front) {
      out.push({ key: held, accumulator: cell.accumulator } satisfies Partial);
    }
    this.#accumulators.front.clear();
  }
}
