import type { Random } from '../environment.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';

/** Repeatable randomness: the same seed draws the same numbers on every machine. */
export interface SeededRandom extends Random {
  /** The given seed, from which `fork` and `next` derive. */
  readonly seed: number;
  /** A uniform integer from `low` to `high`, both inclusive. */
  integer(low: number, high: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One of `items`, with equal probability. */
  pick<Item>(items: readonly Item[]): Item;
  /** Shuffles in place (Fisher–Yates) and returns `items`. */
  shuffle<Item>(items: Item[]): Item[];
  /**
   * An independent stream. It depends only on the seed and the name, not on earlier draws, so an extra draw in one
   * stream does not change another.
   */
  fork(name: string): SeededRandom;
}

/** Creates a {@link SeededRandom} (xoshiro128**, seeded by splitmix32). `seed` is any safe integer. */
export function seededRandom(seed: number): SeededRandom {
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError('seed', seed, 'a safe integer');
  return new Xoshiro128(seed, mix(seed | 0, Math.floor(seed / 2 ** 32) | 0));
}

class Xoshiro128 implements SeededRandom {
  readonly seed: number;
  readonly #origin: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number, origin: number) {
    this.seed = seed;
    this.#origin = origin;
    this.#a = splitmix(origin, 1);
    this.#b = splitmix(origin, 2);
    this.#c = splitmix(origin, 3);
    this.#d = splitmix(origin, 4) | 1;
  }

  next(): number {
    return ((this.#draw() >>> 5) * 2 ** 26 + (this.#draw() >>> 6)) / 2 ** 53;
  }

  integer(low: number, high: number): number {
    if (!Number.isSafeInteger(low)) throw new InvalidArgumentError('low', low, 'a safe integer');
    if (!Number.isSafeInteger(high) || high < low) {
      throw new InvalidArgumentError('high', high, `a safe integer from ${low} on`);
    }
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new InvalidArgumentError('items', items, 'at least one to pick from');
    return items[this.integer(0, items.length - 1)] as Item;
  }

  shuffle<Item>(items: Item[]): Item[] {
    for (let index = items.length - 1; index > 0; index--) {
      const other = this.integer(0, index);
      const item = items[index] as Item;
      items[index] = items[other] as Item;
      items[other] = item;
    }
    return items;
  }

  fork(name: string): SeededRandom {
    let origin = this.#origin;
    for (let index = 0; index < name.length; index++) origin = mix(origin, name.charCodeAt(index));
    origin = mix(origin, name.length);
    return new Xoshiro128(this.seed, origin);
  }

  #draw(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return result;
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** The `step`th word of splitmix32 from `origin`. */
function splitmix(origin: number, step: number): number {
  let word = (origin + Math.imul(0x9e3779b9, step)) | 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}

function mix(origin: number, word: number): number {
  return splitmix(origin ^ splitmix(word, 1), 1);
}
