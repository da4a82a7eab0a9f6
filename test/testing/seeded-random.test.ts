import fc from 'fast-check';
import { type SeededRandom, seededRandom } from '../../src/testing/seeded-random.ts';

const seeds = fc.maxSafeInteger();

function draws(random: SeededRandom, count = 50): number[] {
  return Array.from({ length: count }, () => random.next());
}

describe('seededRandom', () => {
  it('draws these numbers from seed 1, on every machine and in every version', () => {
    const random = seededRandom(1);
    const integers = (from: SeededRandom): number[] => Array.from({ length: 6 }, () => from.integer(0, 999_999));
    expect(integers(random)).toEqual([362_176, 453_894, 514_407, 916_238, 152_129, 111_070]);
    expect(integers(random.fork('faults'))).toEqual([833_538, 432_303, 721_446, 139_535, 984_317, 691_440]);
  });

  it('draws the same numbers from the same seed and others from another', () => {
    fc.assert(
      fc.property(seeds, seeds, (a, b) => {
        expect(draws(seededRandom(a))).toEqual(draws(seededRandom(a)));
        if (a !== b) expect(draws(seededRandom(a))).not.toEqual(draws(seededRandom(b)));
      }),
    );
  });

  it('draws different numbers from neighboring seeds', () => {
    const firsts = new Set(Array.from({ length: 10_000 }, (_, seed) => seededRandom(seed).next()));
    expect(firsts.size).toBe(10_000);
  });

  it('forks by name only: earlier draws have no effect', () => {
    fc.assert(
      fc.property(seeds, fc.string(), fc.string(), fc.nat(20), (seed, a, b, drawn) => {
        const random = seededRandom(seed);
        const fresh = draws(random.fork(a));
        draws(random, drawn);
        expect(draws(random.fork(a))).toEqual(fresh);
        expect(draws(random)).not.toEqual(fresh);
        if (a !== b) expect(draws(random.fork(b))).not.toEqual(fresh);
        expect(draws(random.fork(a).fork(b))).not.toEqual(fresh);
      }),
    );
  });

  it.each([
    [0, 1],
    [-3, 3],
    [5, 5],
    [0, 2 ** 40],
    [-(2 ** 31), 2 ** 31],
  ])('draws integers from %d to %d, both ends included', (low, high) => {
    const random = seededRandom(4);
    const drawn = Array.from({ length: 1_000 }, () => random.integer(low, high));
    expect(drawn.filter((value) => !Number.isSafeInteger(value) || !(value >= low && value <= high))).toEqual([]);
    if (high - low < 10) expect(new Set(drawn).size).toBe(high - low + 1);
  });

  // χ² over 64 cells (63 degrees of freedom): 99.99 % of uniform samples lie below 117.
  it.each(['integer', 'next'] as const)('is uniform: %s', (method) => {
    for (const seed of [0, 1, 2, 2 ** 45]) {
      const random = seededRandom(seed);
      const cells = new Float64Array(64);
      for (let draw = 0; draw < 64_000; draw++) {
        const cell = method === 'integer' ? random.integer(0, 63) : Math.floor(random.next() * 64);
        cells[cell] = (cells[cell] as number) + 1;
      }
      const deviation = cells.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
      expect(deviation).toBeLessThan(117);
    }
  });

  it('shuffles in place, losing nothing, each order equally likely', () => {
    const random = seededRandom(11);
    const counts = new Map<string, number>();
    let isInPlace = true;
    for (let round = 0; round < 6_000; round++) {
      const items = ['a', 'b', 'c'];
      const shuffled = random.shuffle(items);
      isInPlace &&= shuffled === items;
      counts.set(items.join(''), (counts.get(items.join('')) ?? 0) + 1);
    }
    expect(isInPlace).toBe(true);
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('picks each item', () => {
    const random = seededRandom(12);
    expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b', 'c']))).size).toBe(3);
  });

  it.each([
    ['a seed that is not a safe integer', () => seededRandom(0.5), /seed: expected a safe integer, got 0\.5/],
    ['an empty range', () => seededRandom(1).integer(2, 1), /high: expected a safe integer from 2 on, got 1/],
    ['no items to pick from', () => seededRandom(1).pick([]), /items: expected at least one to pick from/],
  ])('refuses %s', (_, draw, message) => {
    expect(draw).toThrow(message);
  });
});
