import fc from 'fast-check';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import { subpartitionOfKey } from '../../src/partitions/records/key-hash.ts';

const keys = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, 0, Number.NaN, 2 ** 31, -(2 ** 31), 2 ** 53),
);

/** The whole hash: as many subpartitions as there are hashes. */
const hashKey = (key: unknown) => subpartitionOfKey(key, 2 ** 32);

describe('the subpartition of a key', () => {
  it('is the same for keys that a Map holds equal, in every process', () => {
    fc.assert(
      fc.property(
        keys,
        (key) =>
          new Set([hashKey(key), hashKey(typeof key === 'string' ? key.slice(0, 1) + key.slice(1) : key)]).size === 1,
      ),
    );
    expect(hashKey(-0)).toBe(hashKey(0));
    expect(hashKey(Number.NaN)).toBe(hashKey(0 / 0));
    // Fixed values, because a change would send the keys of a kept result to other subtasks.
    expect(['OSL', 'a', '', 7, 1.5, 7n, true, null, undefined].map((key) => hashKey(key))).toEqual([
      3350913014, 2141232806, 3954623016, 415870660, 2321223580, 1419016502, 3794260505, 3760482487, 1738713326,
    ]);
  });

  it.each([
    ['integers', (index: number) => index],
    ['multiples of 64', (index: number) => index * 64],
    ['fractions', (index: number) => index / 10 + 0.05],
    ['large integers', (index: number) => 2 ** 40 + index],
    ['short strings', (index: number) => `k${index}`],
    ['long strings with a common prefix', (index: number) => `https://example.org/articles/${index}`],
    ['bigints', (index: number) => BigInt(index) * 1_000_003n],
  ])('spreads %s evenly over subpartitions', (_, keyAt) => {
    for (const count of [2, 3, 7, 16]) {
      const sizes = Array.from({ length: count }, () => 0);
      const total = 16_000;
      for (let index = 0; index < total; index++) {
        const subpartition = subpartitionOfKey(keyAt(index), count);
        sizes[subpartition] = (sizes[subpartition] as number) + 1;
      }
      const expected = total / count;
      for (const size of sizes) expect(Math.abs(size - expected)).toBeLessThan(6 * Math.sqrt(expected));
    }
  });

  it('is always in the range of the subpartitions', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 1_000 }), (key, count) => {
        const subpartition = subpartitionOfKey(key, count);
        return Number.isInteger(subpartition) && subpartition >= 0 && subpartition < count;
      }),
    );
  });

  it.each([[{ a: 1 }], [[1]], [new Date(0)], [Symbol('s')], [() => 1]])('refuses %p as a key', (key) => {
    expect(() => hashKey(key)).toThrow(InvalidArgumentError);
  });
});
