import fc from 'fast-check';
import { type DividedFile, divideFiles } from '../../../src/connectors/inputs/file-splits.ts';

const split = (bytes: number): DividedFile => ({ bytes, isSplittable: true });
const whole = (bytes: number): DividedFile => ({ bytes, isSplittable: false });

/** `file:start-end` for each subtask. */
const divide = (files: DividedFile[], parallelism: number): string[] =>
  divideFiles(files, parallelism).map((splits) =>
    splits.map(({ file, start, end }) => `${file}:${start}-${end}`).join(' '),
  );

it.each<[title: string, files: DividedFile[], shares: string[]]>([
  ['one file', [split(10)], ['0:0-4', '0:4-7', '0:7-10']],
  ['fewer bytes than subtasks', [split(2)], ['0:0-1', '0:1-2', '']],
  ['nothing', [split(0), whole(0)], ['', '', '']],
  ['files end to end', [split(4), split(1), split(4)], ['0:0-3', '0:3-4 1:0-1 2:0-1', '2:1-4']],
  ['wholes, the largest first', [whole(1), whole(1), whole(9)], ['2:0-9', '0:0-1', '1:0-1']],
  ['wholes, more than subtasks', [whole(4), whole(4), whole(4), whole(1)], ['0:0-4 3:0-1', '1:0-4', '2:0-4']],
  ['a whole, filled up', [whole(4), split(8)], ['0:0-4', '1:0-4', '1:4-8']],
  ['a whole that is more than a share', [whole(20), split(8)], ['0:0-20', '1:0-4', '1:4-8']],
  ['wholes of all sizes, filled up', [whole(5), whole(1), split(9)], ['0:0-5', '1:0-1 2:0-4', '2:4-9']],
])('%s', (_title, files, shares) => {
  expect(divide(files, 3)).toEqual(shares);
});

it('every byte once, and the load balanced', () => {
  const file = fc.record({ bytes: fc.nat(50), isSplittable: fc.boolean() });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 12 }), fc.integer({ min: 1, max: 8 }), (files, parallelism) => {
      const shares = divideFiles(files, parallelism);
      const covered = files.map(() => 0);
      for (const { file: index, start, end } of shares.flat()) {
        expect(end).toBeGreaterThan(start);
        if (files[index]?.isSplittable === false) expect([start, end]).toEqual([0, files[index]?.bytes]);
        covered[index] = (covered[index] ?? 0) + end - start;
      }
      expect(covered).toEqual(files.map(({ bytes }) => bytes));
      for (const [index] of files.entries()) {
        const pieces = shares.flat().filter((piece) => piece.file === index);
        expect(pieces.map(({ start }) => start)).toEqual([0, ...pieces.map(({ end }) => end)].slice(0, pieces.length));
      }
      const loads = shares.map((own) => own.reduce((sum, { start, end }) => sum + end - start, 0));
      const wholes = files.filter(({ isSplittable }) => !isSplittable).map(({ bytes }) => bytes);
      const share = loads.reduce((sum, load) => sum + load, 0) / parallelism;
      expect(Math.max(...loads)).toBeLessThanOrEqual(Math.ceil(share) + Math.max(0, ...wholes));
      if (wholes.length === 0) expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
    }),
  );
});
