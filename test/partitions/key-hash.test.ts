import fc from 'fast-check';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import { keyGroupCount, keyGroupOf, keyGroupsOf, subpartitionOfKey } from '../../src/partitions/records/key-hash.ts';

const keys = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, 0, Number.NaN, 2 ** 31, -(2 ** 31), 2 ** 53),
);

describe('the subpartition of a key', () => {
  it('is the same for keys that a Map holds equal, in every process', () => {
    fc.assert(
      fc.property(
        keys,
        (key) =>
          new Set([keyGroupOf(key), keyGroupOf(typeof key === 'string' ? key.slice(0, 1) + key.slice(1) : key)])
            .size === 1,
      ),
    );
    expect(keyGroupOf(-0)).toBe(keyGroupOf(0));
    expect(keyGroupOf(Number.NaN)).toBe(keyGroupOf(0 / 0));
    // Fixed values, because a change would send the keys of a result or a state to other subtasks.
    const hashes = [
      3350913014, 2141232806, 3954623016, 415870660, 2321223580, 1419016502, 3794260505, 3760482487, 1738713326,
    ];
    expect(['OSL', 'a', '', 7, 1.5, 7n, true, null, undefined].map((key) => keyGroupOf(key))).toEqual(
      hashes.map((hash) => Math.floor((hash / 2 ** 32) * 32_768)),
    );
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
      fc.property(keys, fc.integer({ min: 1, max: keyGroupCount }), (key, count) => {
        const subpartition = subpartitionOfKey(key, count);
        return Number.isInteger(subpartition) && subpartition >= 0 && subpartition < count;
      }),
    );
  });

  it('is the one that has its key group, of ranges that join and differ by one group at most', () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: keyGroupCount }), (key, count) => {
        const subpartition = subpartitionOfKey(key, count);
        const { first, end } = keyGroupsOf(subpartition, count);
        const group = keyGroupOf(key);
        expect(first <= group && group < end).toBe(true);
        expect(keyGroupsOf(subpartition + 1, count).first).toBe(end);
        expect([Math.floor(keyGroupCount / count), Math.ceil(keyGroupCount / count)]).toContain(end - first);
        expect([keyGroupsOf(0, count).first, keyGroupsOf(count - 1, count).end]).toEqual([0, keyGroupCount]);
      }),
    );
  });

  it.each([[{ a: 1 }], [[1]], [new Date(0)], [Symbol('s')], [() => 1]])('refuses %p as a key', (key) => {
    expect(() => keyGroupOf(key)).toThrow(InvalidArgumentError);
  });
});
