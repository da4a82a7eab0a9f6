/** A file, or a stretch of one, that one subtask reads. */
export interface FileSplit {
  /** Index among the files of the plan. */
  readonly file: number;
  /** Bytes from `start` up to and without `end`. */
  readonly start: number;
  readonly end: number;
}

/** A file to be divided among subtasks. */
export interface DividedFile {
  readonly bytes: number;
  /** Whether it can be read from anywhere; one that cannot be goes to one subtask. */
  readonly isSplittable: boolean;
}

/**
 * What each subtask reads of `files`, in their order: about the same number of bytes. A pure function. Files that cannot be
 * split are dealt out first, the largest to whoever has least so far; the others fill up what is missing.
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

/** How `total` is added to `loads` so that the smallest are raised to one level, equal to within one. */
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
