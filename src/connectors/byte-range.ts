/** A range of bytes in a file: `start` inclusive, `end` exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The contiguous share of `size` items that one subtask gets. Shares follow the order of the subtasks and differ by at
 * most one item.
 */
export function shareOf(subtask: number, parallelism: number, size: number): ByteRange {
  return { start: shareStart(subtask, parallelism, size), end: shareStart(subtask + 1, parallelism, size) };
}

function shareStart(subtask: number, parallelism: number, size: number): number {
  const each = Math.floor(size / parallelism);
  return each * subtask + Math.min(subtask, size - each * parallelism);
}
