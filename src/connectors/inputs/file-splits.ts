/** A file, or a range of one, that one subtask reads. */
export interface FileSplit {
  /** Index of the file in the plan. */
  readonly file: number;
  /** First byte, inclusive; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
}

/** What a subtask has not read yet of a split. Plain data. */
export interface RestOfSplit extends FileSplit {
  /** Number of records in it that were read. */
  readonly skipped: number;
}

/** A file to divide among subtasks. */
export interface DividedFile {
  readonly bytes: number;
  /** Whether reading can start anywhere. Otherwise one subtask reads the whole file. */
  readonly isSplittable: boolean;
}

/**
 * Divides `files` among the subtasks, in file order, with about the same number of bytes each. A pure function.
 * Unsplittable files are dealt out first, largest first, each to the subtask with the fewest bytes; splittable files
 * fill up the rest.
 */
export function divideFiles(files: readonly DividedFile[], parallelism: number): FileSplit[][] {
  const splits = Array.from({ length: parallelism }, (): FileSplit[] => []);
  const loads = Array.from({ length: parallelism }, () => 0);
  for (const { file, bytes } of wholesBySize(files)) {
    const subtask = loads.indexOf(Math.min(...loads));
    loads[subtask] = (loads[subtask] ?? 0) + bytes;
    splits[subtask]?.push({ file, start: 0, end: bytes });
  }
  const rooms = fillUp(loads, sum(files.map(({ bytes, isSplittable }) => (isSplittable ? bytes : 0))));
  let subtask = 0;
  for (const [file, { bytes, isSplittable }] of files.entries()) {
    if (!isSplittable) continue;
    for (let start = 0; start < bytes; ) {
      while (rooms[subtask] === 0) subtask++;
      const end = Math.min(bytes, start + (rooms[subtask] ?? 0));
      splits[subtask]?.push({ file, start, end });
      rooms[subtask] = (rooms[subtask] ?? 0) - (end - start);
      start = end;
    }
  }
  return splits.map((own) => own.sort((a, b) => a.file - b.file));
}

function wholesBySize(files: readonly DividedFile[]): { file: number; bytes: number }[] {
  return files
    .map(({ bytes, isSplittable }, file) => ({ file, bytes: isSplittable ? 0 : bytes }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes || a.file - b.file);
}

/** How much of `total` to add to each load, so that the smallest loads rise to one level (to within one). */
function fillUp(loads: readonly number[], total: number): number[] {
  const rising = loads.toSorted((a, b) => a - b);
  let count = 1;
  let filled = total + (rising[0] ?? 0);
  while (count < rising.length && filled > (rising[count] ?? 0) * count) filled += rising[count++] ?? 0;
  const level = Math.floor(filled / count);
  let remainder = filled - level * count;
  let raised = 0;
  const highest = rising[count - 1] ?? 0;
  return loads.map((load) => {
    if (load > highest || raised === count) return 0;
    raised++;
    return level - load + (remainder-- > 0 ? 1 : 0);
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
