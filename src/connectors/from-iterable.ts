import { SourceNotReplayableError } from '../errors/connector-errors.ts';
import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { ignoreRejection } from '../foreign-value.ts';
import { noRecord } from '../partitions/loop-ends.ts';
import type { Source, SourceReader } from '../operators/source.ts';
import { TimeSlice } from '../time-slice.ts';
import { isThenable, refusePromise } from '../user-code.ts';
import { fromArray } from './from-array.ts';

/**
 * Reads an iterable, or the one that a function returns per call. It is pulled on demand and may be endless.
 *
 * An array is splittable to any parallelism, see {@link fromArray}; any other iterable has one subtask. Replayable from
 * the start if it can be iterated again. A generator object cannot: a restarted subtask fails with a
 * `SourceNotReplayableError`. Pass the generator function instead.
 */
export function fromIterable<Out>(iterable: Iterable<Out> | (() => Iterable<Out>)): Source<Out> {
  if (Array.isArray(iterable)) return fromArray(iterable as readonly Out[]);
  if (typeof iterable !== 'function' && !isIterable(iterable)) {
    throw new InvalidArgumentError('iterable', iterable, 'an iterable or a function that returns one');
  }
  const make = typeof iterable === 'function' ? iterable : () => iterable;
  const name = (typeof iterable === 'function' && iterable.name) || 'iterable';
  const used = new WeakSet<object>();
  return {
    name,
    maxParallelism: 1,
    splitLimit: 'an iterable has one reader',
    open: ({ environment }, _plan, from = 0) => {
      const iterator = iterableOf(name, make())[Symbol.iterator]();
      if (used.has(iterator)) {
        throw new SourceNotReplayableError(name, 'Pass a function that makes it: fromIterable(() => …)');
      }
      used.add(iterator);
      return new IteratorReader(iterator, from as number, new TimeSlice(environment.clock));
    },
  };
}

function iterableOf<Out>(name: string, made: Iterable<Out>): Iterable<Out> {
  const what = `what ${name} of fromIterable returns`;
  if (isThenable(made)) refusePromise(what, made, 'an iterable; for an asynchronous one use fromAsyncIterable');
  if (!isIterable(made))
    throw new InvalidArgumentError(what, made, 'an iterable; for an asynchronous one use fromAsyncIterable');
  return made;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function';
}

class IteratorReader<Out> implements SourceReader<Out> {
  readonly #iterator: Iterator<Out>;
  readonly #slice: TimeSlice;
  /** Number of records to skip at the start. */
  #skip: number;
  #count: number;
  #isDone = false;

  constructor(iterator: Iterator<Out>, skip: number, slice: TimeSlice) {
    this.#slice = slice;
    this.#iterator = iterator;
    this.#skip = this.#count = skip;
  }

  /** Number of records before the next one. */
  position(): number {
    return this.#count;
  }

  read(maxRecords: number): readonly Out[] | null {
    if (this.#isDone) return null;
    // In slices, because there may be many records to skip, and the thread is shared.
    if (this.#skip > 0) return this.#passOver(maxRecords);
    const records: Out[] = [];
    this.#slice.begin();
    do {
      const item = this.#step();
      if (item.done === true) break;
      records.push(item.value);
    } while (records.length < maxRecords && !this.#slice.isOver());
    this.#count += records.length;
    return records.length > 0 ? records : null;
  }

  next(): Out | typeof noRecord {
    if (this.#isDone || this.#skip > 0) return noRecord;
    const item = this.#step();
    if (item.done === true) return noRecord;
    this.#count++;
    return item.value;
  }

  #passOver(count: number): readonly Out[] | null {
    this.#slice.begin();
    for (let passed = 0; passed < count && this.#skip > 0 && !this.#slice.isOver(); passed++, this.#skip--) {
      if (this.#step().done === true) return null;
    }
    return [];
  }

  close(): void {
    if (!this.#isDone) ignoreRejection(this.#iterator.return?.());
    this.#isDone = true;
  }

  /** An iterator that threw is done; its `return` is not called. */
  #step(): IteratorResult<Out> {
    let isDone = true;
    try {
      const item: unknown = this.#iterator.next();
      const expected = 'an object with `done` and `value`';
      if (typeof item !== 'object' || item === null) throw new InvalidArgumentError('result of next()', item, expected);
      if ((item as IteratorResult<Out>).value === undefined && isThenable(item)) {
        refusePromise('result of next()', item, `${expected}; for a promise of one use fromAsyncIterable`);
      }
      isDone = (item as IteratorResult<Out>).done === true;
      return item as IteratorResult<Out>;
    } finally {
      this.#isDone = isDone;
    }
  }
}
