import type { Source } from '../operators/source.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { noRecord } from '../partitions/loop-ends.ts';
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
      let at = start + (from as number);
      return {
        position: () => at - start,
        // Without `next`, because a slice of records that exist anyway costs less than handing them out one by one.
        read: (maxRecords) => {
          if (at >= end) return null;
          const first = at;
          at = Math.min(end, at + maxRecords);
          return records.slice(first, at);
        },
        locate: (record) => `array[${start + (from as number) + record}]`,
        close: () => {},
      };
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
      let at = start + share.start + (from as number);
      const last = start + share.end;
      return {
        position: () => at - start - share.start,
        next: () => (at < last ? at++ : noRecord),
        read: (maxRecords) => {
          if (at >= last) return null;
          const numbers: number[] = [];
          for (const stop = Math.min(last, at + maxRecords); at < stop; at++) numbers.push(at);
          return numbers;
        },
        close: () => {},
      };
    },
  };
}
