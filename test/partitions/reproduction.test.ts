import fc from 'fast-check';
import { Reproduction } from '../../src/partitions/reproduced/reproduction.ts';
import { type Batch, elementOf } from '../../src/partitions/stream-element.ts';
import { recordsIn } from '../support/batch-frames.ts';

/** By subpartition: the sizes of the earlier batches. */
function following(...before: readonly (readonly number[])[]) {
  const compared: [subpartition: number, batch: number, records: Batch][] = [];
  const reproduction = new Reproduction(
    {
      elementCount: (subpartition) => before[subpartition]?.length ?? 0,
      recordCount: (subpartition, batch) => before[subpartition]?.[batch] as number,
    },
    (subpartition, batch, again) => compared.push([subpartition, batch, recordsIn(again)]),
  );
  /** Takes records; returns the part beyond the earlier output. */
  const take = (subpartition: number, records: Batch): Batch =>
    recordsIn(reproduction.take(subpartition, elementOf(records)) ?? elementOf([]));
  return { reproduction, compared, take };
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

describe('Reproduction', () => {
  /** Earlier sizes, sizes now; the reproduced batches, the new part of each write, the shortfall at the end. */
  const cases: [string, number[], number[], [number, number[]][], number[][], ReturnType<Reproduction['missing']>][] = [
    ['nothing before', [], [2, 1], [], [[0, 1], [2]], undefined],
    ['nothing now', [2], [], [], [], { index: 0, produced: 0 }],
    [
      'the same batches',
      [2, 1],
      [2, 1],
      [
        [0, [0, 1]],
        [1, [2]],
      ],
      [[], []],
      undefined,
    ],
    ['smaller ones', [3], [1, 1, 1], [[0, [0, 1, 2]]], [[], [], []], undefined],
    [
      'a larger one',
      [1, 2],
      [3],
      [
        [0, [0]],
        [1, [1, 2]],
      ],
      [[]],
      undefined,
    ],
    [
      'across the old boundary',
      [2, 2],
      [3, 1],
      [
        [0, [0, 1]],
        [1, [2, 3]],
      ],
      [[], []],
      undefined,
    ],
    ['fewer records', [2, 3], [4], [[0, [0, 1]]], [[]], { index: 1, produced: 2 }],
    ['half of the first batch', [2], [1], [], [[]], { index: 0, produced: 1 }],
    ['more records', [2], [2, 2], [[0, [0, 1]]], [[], [2, 3]], undefined],
    [
      'more records in the last batch',
      [2, 1],
      [1, 4],
      [
        [0, [0, 1]],
        [1, [2]],
      ],
      [[], [3, 4]],
      undefined,
    ],
    ['an empty batch', [2], [1, 0, 1, 0], [[0, [0, 1]]], [[], [], [], []], undefined],
  ];

  it.each(cases)('cuts reproduced records into the earlier batches: %s', (_, before, now, again, fresh, missing) => {
    const { reproduction, compared, take } = following(before);
    let at = 0;
    const rest = now.map((size) => take(0, numbers(at, (at += size))));
    expect(compared).toEqual(again.map(([batch, records]) => [0, batch, records]));
    expect(rest).toEqual(fresh);
    expect(reproduction.missing(0)).toEqual(missing);
  });

  it('compares a batch as soon as its last record arrives, and passes an identically cut one on as it is', () => {
    const { compared, take } = following([2, 3]);
    const same = [0, 1];
    take(0, same);
    expect(compared[0]?.[2]).toBe(same);
    take(0, [2, 3]);
    expect(compared).toHaveLength(1);
    take(0, [4]);
    expect(compared).toHaveLength(2);
    const fresh = [5];
    expect(take(0, fresh)).toBe(fresh);
  });

  it('keeps the subpartitions apart', () => {
    const { reproduction, compared, take } = following([2], [], [1]);
    expect(take(0, ['a'])).toEqual([]);
    expect(take(1, ['b'])).toEqual(['b']);
    expect(take(2, ['c', 'd'])).toEqual(['d']);
    expect([0, 1, 2, 3].map((subpartition) => reproduction.missing(subpartition))).toEqual([
      { index: 0, produced: 1 },
      undefined,
      undefined,
      undefined,
    ]);
    expect(take(0, ['e', 'f'])).toEqual(['f']);
    expect(compared).toEqual([
      [2, 0, ['c']],
      [0, 0, ['a', 'e']],
    ]);
  });

  it('passes on the error of the comparison', () => {
    const reproduction = new Reproduction({ elementCount: () => 1, recordCount: () => 2 }, () => {
      throw new Error('other records');
    });
    expect(reproduction.take(0, elementOf([0]))).toBeUndefined();
    expect(() => reproduction.take(0, elementOf([1]))).toThrow('other records');
  });

  it('property: any cut of the same records gives the earlier batches, then the rest', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 15 });
    fc.assert(
      fc.property(sizes, sizes, (before, now) => {
        const sum = (list: readonly number[]): number => list.reduce((total, size) => total + size, 0);
        const { reproduction, compared, take } = following(before);
        let at = 0;
        const fresh = now.flatMap((size) => take(0, numbers(at, (at += size))));
        const whole = before.filter((_, batch) => sum(before.slice(0, batch + 1)) <= at);
        expect(compared).toEqual(
          whole.map((size, batch) => [
            0,
            batch,
            numbers(sum(before.slice(0, batch)), sum(before.slice(0, batch)) + size),
          ]),
        );
        expect(fresh).toEqual(numbers(Math.min(at, sum(before)), at));
        expect(reproduction.missing(0)).toEqual(
          whole.length === before.length ? undefined : { index: whole.length, produced: at - sum(whole) },
        );
      }),
      { numRuns: 500 },
    );
  });
});
