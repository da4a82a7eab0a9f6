import type { Source, SourceReader } from '../operators/source.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { shareOf } from './byte-range.ts';

/**
 * Reads the elements of an array, which must not change during a run.
 *
 * Splittable to any parallelism, in contiguous shares. Replayable: a restarted subtask reads its share again.
 */
export function fromArray<Out>(records: readonly Out[]): Source<Out> {
  if (!Array.isArray(records)) throw new InvalidArgumentError('records', records, 'an array');
  return {
    name: 'array',
    definition: { kind: 'fromArray', records },
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    open: ({ subtask, parallelism }, _plan, from = 0) => {
      const { start, end } = shareOf(subtask, parallelism, records.length);
      const reader = counting(start, end, from as number, (first, next) => records.slice(first, next));
      return { ...reader, locate: (record) => `array[${start + (from as number) + record}]` };
    },
  };
}

/**
 * Counts from `start` (inclusive) to `end` (exclusive), both integers.
 *
 * Splittable to any parallelism, in contiguous shares. Replayable: a restarted subtask counts through its share again.
 */
export function range(start: number, end: number): Source<number> {
  if (!Number.isSafeInteger(start)) throw new InvalidArgumentError('start', start, 'a whole number');
  if (!Number.isSafeInteger(end) || end < start) {
    throw new InvalidArgumentError('end', end, `a whole number, at least ${start}`);
  }
  return {
    name: `range(${start}, ${end})`,
    definition: { kind: 'range', options: { start, end } },
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    open: ({ subtask, parallelism }, _plan, from = 0) => {
      const share = shareOf(subtask, parallelism, end - start);
      return counting(start + share.start, start + share.end, from as number, numbersBetween);
    },
  };
}

function numbersBetween(from: number, to: number): number[] {
  const numbers: number[] = [];
  for (let number = from; number < to; number++) numbers.push(number);
  return numbers;
}

/**
 * Counts from `start`, skipping the first `skipped` numbers. Its position is how far it has counted. Without `next`, because
 * a slice of records that exist anyway costs less than handing them out one by one.
 */
function counting<Out>(
  start: number,
  end: number,
  skipped: number,
  between: (from: number, to: number) => Out[],
): SourceReader<Out> {
  let at = start + skipped;
  return {
    position: () => at - start,
    read: (maxRecords) => {
      if (at >= end) return null;
      const from = at;
      at = Math.min(end, at + maxRecords);
      return between(from, at);
    },
    close: () => {},
  };
}
