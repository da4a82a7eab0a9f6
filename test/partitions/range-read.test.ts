import fc from 'fast-check';
import { coalesce, deal, type RangeRead } from '../../src/partitions/storage/range-read.ts';

/** Ranges, and the bytes that each got. */
function rangesOf(asked: readonly (readonly [offset: number, length: number])[]) {
  const given: (Uint8Array | Error)[] = [];
  const reads = asked.map(
    ([offset, length], index): RangeRead => ({
      offset,
      length,
      resolve: (bytes) => {
        given[index] = bytes;
      },
      reject: (error) => {
        given[index] = error as Error;
      },
    }),
  );
  return { reads, given };
}

const spansOf = (asked: readonly (readonly [number, number])[]): (readonly [number, number])[] =>
  coalesce(rangesOf(asked).reads).map(({ offset, length }) => [offset, length]);

const KiB = 1_024;

describe('joint reads of ranges', () => {
  it.each<readonly [string, (readonly [number, number])[], (readonly [number, number])[]]>([
    ['nothing', [], []],
    ['one', [[5, 10]], [[5, 10]]],
    [
      'touch, in any order',
      [
        [10, 5],
        [0, 10],
      ],
      [[0, 15]],
    ],
    [
      'overlap',
      [
        [0, 10],
        [5, 10],
      ],
      [[0, 15]],
    ],
    [
      'lie in one another',
      [
        [0, 100],
        [5, 10],
        [90, 20],
      ],
      [[0, 110]],
    ],
    [
      'nearly touch',
      [
        [0, 10],
        [10 + 16 * KiB, 1],
      ],
      [[0, 11 + 16 * KiB]],
    ],
    [
      'lie too far apart',
      [
        [0, 10],
        [11 + 16 * KiB, 1],
      ],
      [
        [0, 10],
        [11 + 16 * KiB, 1],
      ],
    ],
    [
      'are 1 MiB together',
      [
        [0, 512 * KiB],
        [512 * KiB, 512 * KiB],
      ],
      [[0, 1_024 * KiB]],
    ],
    [
      'are more than that',
      [
        [0, 512 * KiB],
        [512 * KiB, 512 * KiB + 1],
      ],
      [
        [0, 512 * KiB],
        [512 * KiB, 512 * KiB + 1],
      ],
    ],
    [
      'one alone that is more',
      [
        [0, 5_000 * KiB],
        [5_000 * KiB, 1],
      ],
      [
        [0, 5_000 * KiB],
        [5_000 * KiB, 1],
      ],
    ],
  ])('%s', (_, asked, spans) => {
    expect(spansOf(asked)).toEqual(spans);
  });

  it('property: each request gets its own bytes once, or the number of missing ones, and shares none', () => {
    const ranges = fc.array(fc.tuple(fc.nat(200_000), fc.nat(60_000)), { maxLength: 20 });
    const file = Uint8Array.from({ length: 250_000 }, (_, index) => index ^ (index >> 8));
    fc.assert(
      fc.property(ranges, fc.nat(250_000), (asked, size) => {
        const { reads, given } = rangesOf(asked);
        const runs = coalesce(reads);
        expect(runs.flatMap((run) => run.reads)).toHaveLength(asked.length);
        for (const run of runs) {
          expect(run.length <= 1_024 * KiB || run.reads.length === 1).toBe(true);
          deal(run, file.slice(run.offset, Math.max(run.offset, Math.min(size, run.offset + run.length))));
        }
        for (const [index, [offset, length]] of asked.entries()) {
          const missing = Math.min(length, Math.max(0, offset + length - size));
          const outcome = given[index];
          if (missing > 0) expect(outcome).toEqual(new Error(`the file ends ${missing} bytes too early`));
          else expect(Buffer.compare(outcome as Uint8Array, file.subarray(offset, offset + length))).toBe(0);
        }
        for (const [index, bytes] of given.entries()) if (bytes instanceof Uint8Array) bytes.fill(index);
        for (const [index, bytes] of given.entries()) {
          if (bytes instanceof Uint8Array) expect(bytes.every((byte) => byte === index)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });
});
