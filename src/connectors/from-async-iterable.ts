import { InvalidArgumentError, SourceNotReplayableError } from '../errors.ts';
import type { Source } from '../operators/source.ts';
import { isThenable, refusePromise } from '../user-code.ts';
import { PullReader } from './pull-reader.ts';

/**
 * Reads an async iterable, or what a function makes anew each time it is called; the function gets a signal that is
 * aborted when the task ends early. It is pulled one item at a time, as far as records are asked for, and a partial batch
 * goes on as soon as the next item keeps it waiting. It may be endless.
 *
 * Not splittable: one subtask. Replayable, from the start, if it can be iterated again: a restarted subtask fails with a
 * `SourceNotReplayableError` on an async generator object, since what was taken from it is gone.
 */
export function fromAsyncIterable<Out>(
  iterable: AsyncIterable<Out> | ((signal: AbortSignal) => AsyncIterable<Out>),
): Source<Out> {
  if (typeof iterable !== 'function' && typeof iterable?.[Symbol.asyncIterator] !== 'function') {
    throw new InvalidArgumentError('iterable', iterable, 'an async iterable or a function that returns one');
  }
  const make = typeof iterable === 'function' ? iterable : () => iterable;
  const name = (typeof iterable === 'function' && iterable.name) || 'async iterable';
  const used = new WeakSet<object>();
  return {
    name,
    maxParallelism: 1,
    splitLimit: 'an async iterable has one reader',
    open: ({ signal, environment }) => {
      const iterator = iterableOf(name, make(signal))[Symbol.asyncIterator]();
      if (used.has(iterator)) {
        throw new SourceNotReplayableError(name, 'Pass a function that makes it: fromAsyncIterable(() => …)');
      }
      used.add(iterator);
      return new PullReader({ next: () => iterator.next(), stop: () => iterator.return?.() }, environment.clock);
    },
  };
}

function iterableOf<Out>(name: string, made: AsyncIterable<Out>): AsyncIterable<Out> {
  const what = `what ${name} of fromAsyncIterable returns`;
  if (isThenable(made)) refusePromise(what, made, 'an async iterable (make it with `async function*`)');
  if (typeof made?.[Symbol.asyncIterator] === 'function') return made;
  throw new InvalidArgumentError(what, made, 'an async iterable');
}
