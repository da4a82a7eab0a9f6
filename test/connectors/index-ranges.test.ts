import fc from 'fast-check';
import { shareOf } from '../../src/connectors/byte-range.ts';
import { divideIndexes, type IndexPosition, IndexRanges } from '../../src/connectors/index-ranges.ts';

/** Reads some numbers of each share. */
function readSome(size: number, readers: readonly IndexRanges[], counts: readonly number[]): number[] {
  const read: number[] = [];
  for (const [index, reader] of readers.entries()) {
    for (let left = counts[index % counts.length] ?? size; left > 0 && reader.advance(); left--) read.push(reader.at++);
  }
  return read;
}

describe('numbers that are read at one parallelism after another', () => {
  it('are read once each, whatever had been read, and evenly', () => {
    const parallelism = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.array(fc.tuple(parallelism, fc.array(fc.nat(30), { minLength: 1 })), { minLength: 1, maxLength: 4 }),
        (size, steps) => {
          const read: number[] = [];
          let positions: readonly IndexPosition[] | undefined;
          for (const [count, counts] of steps) {
            const before = positions;
            const own = (subtask: number): { start: number; end: number } =>
              shareOf(subtask, before?.length ?? count, size);
            const divided = before && divideIndexes(before, count, own);
            const readers = Array.from(
              { length: count },
              (_, subtask) => new IndexRanges(shareOf(subtask, count, size), divided?.[subtask] ?? 0),
            );
            if (divided !== undefined) {
              const sizes = divided.map((position) =>
                typeof position === 'number' ? 0 : position.left.reduce((sum, { start, end }) => sum + end - start, 0),
              );
              expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
            }
            read.push(...readSome(size, readers, counts));
            positions = readers.map(({ position }) => position);
          }
          const readers = (positions ?? []).map((position, subtask) => {
            return new IndexRanges(shareOf(subtask, positions?.length ?? 1, size), position);
          });
          read.push(...readSome(size, readers, []));
          expect(read.sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, n) => n));
        },
      ),
    );
  });
});
