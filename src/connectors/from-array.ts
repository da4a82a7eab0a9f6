import type { Source } from '../operators/source.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { noRecord } from '../partitions/loop-ends.ts';
import { type ByteRange, shareOf } from './byte-range.ts';
import { divideIndexes, type IndexPosition, IndexRanges } from './index-ranges.ts';

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
    redistribute: (positions, parallelism) =>
      divideIndexes(positions as readonly IndexPosition[], parallelism, (subtask) =>
        shareOf(subtask, positions.length, records.length),
      ),
    open: ({ subtask, parallelism }, _plan, from = 0) => {
      const left = new IndexRanges(shareOf(subtask, parallelism, records.length), from as IndexPosition);
      const first = left.copy();
      return {
        position: () => left.position,
        // Without `next`, because a slice of records that exist anyway costs less than handing them out one by one.
        read: (maxRecords) => {
          if (!left.advance()) return null;
          const { at } = left;
          left.at = Math.min(left.end, at + maxRecords);
          return records.slice(at, left.at);
        },
        locate: (record) => `array[${first.numberAt(record)}]`,
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
  const own = (subtask: number, parallelism: number): ByteRange => {
    const share = shareOf(subtask, parallelism, end - start);
    return { start: start + share.start, end: start + share.end };
  };
  return {
    name: `range(${start}, ${end})`,
    definition: { kind: 'range', options: { start, end } },
    maxParallelism: Number.MAX_SAFE_INTEGER,
    deterministic: true,
    redistribute: (positions, parallelism) =>
      divideIndexes(positions as readonly IndexPosition[], parallelism, (subtask) => own(subtask, positions.length)),
    open: ({ subtask, parallelism }, _plan, from = 0) => {
      const left = new IndexRanges(own(subtask, parallelism), from as IndexPosition);
      // In variables, because a property that changes with each number costs more than the number.
      let { at, end: last } = left;
      const goOn = (): boolean => {
        left.at = at;
        const isThere = left.advance();
        ({ at, end: last } = left);
        return isThere;
      };
      return {
        position: () => {
          left.at = at;
          return left.position;
        },
        next: () => (at < last || goOn() ? at++ : noRecord),
        read: (maxRecords) => {
          if (at >= last && !goOn()) return null;
          const numbers: number[] = [];
          for (const stop = Math.min(last, at + maxRecords); at < stop; at++) numbers.push(at);
          return numbers;
        },
        close: () => {},
      };
    },
  };
}
