/** A piece of a file: from `start`, up to and without `end`, in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The share of one subtask in `size` things: contiguous, in the order of the subtasks, equal to within one. */
export function shareOf(subtask: number, parallelism: number, size: number): ByteRange {
  return { start: shareStart(subtask, parallelism, size), end: shareStart(subtask + 1, parallelism, size) };
}

function shareStart(subtask: number, parallelism: number, size: number): number {
  const each = Math.floor(size / parallelism);
  return each * subtask + Math.min(subtask, size - each * parallelism);
}
