import { SourceNotReplayableError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { Source } from '../../operators/source.ts';
import { checkDecodeOptions, type DecodeOptions, decoded, type MayDecode } from '../lines/decoder.ts';
import { PullReader } from './pull-reader.ts';

/**
 * Reads an async iterable, or what a function makes anew each time it is called; the function gets a signal that is
 * aborted when the task ends early. It is pulled one item at a time, as far as records are asked for, and a partial batch
 * goes on as soon as the next item keeps it waiting. It may be endless.
 *
 * With `decode` it is the records in its bytes, as of the body of an S3 object.
 *
 * Not splittable: one subtask. Replayable, from the start, if it can be iterated again: a restarted subtask fails with a
 * `SourceNotReplayableError` on an async generator object, since what was taken from it is gone. Of a function whose new
 * iterable does not begin at the start, such as a live feed, say so: `job.source(name, …, { replayable: false })`.
 *
 * @param iterable a function may be async
 */
export function fromAsyncIterable<Out>(
  iterable: AsyncIterableOrMaker<unknown>,
  options: DecodeOptions<Out>,
): Source<Out>;
export function fromAsyncIterable<Out>(
  iterable: AsyncIterableOrMaker<Out>,
  options?: { readonly decode?: undefined },
): Source<Out>;
export function fromAsyncIterable<Out>(
  iterable: AsyncIterableOrMaker<unknown>,
  options: MayDecode<Out> = {},
): Source<Out> {
  checkDecodeOptions('fromAsyncIterable', options);
  if (typeof iterable !== 'function' && !isAsyncIterable(iterable)) {
    throw new InvalidArgumentError('iterable', iterable, 'an async iterable or a function that returns one');
  }
  const make = typeof iterable === 'function' ? iterable : () => iterable;
  const name = (typeof iterable === 'function' && iterable.name) || 'async iterable';
  const used = new WeakSet<object>();
  return {
    name,
    maxParallelism: 1,
    splitLimit: 'an async iterable has one reader',
    open: async ({ signal, environment }) => {
      const made = await make(signal);
      if (!isAsyncIterable(made)) {
        throw new InvalidArgumentError(`what ${name} of fromAsyncIterable returns`, made, 'an async iterable');
      }
      const iterator = made[Symbol.asyncIterator]();
      if (used.has(iterator)) {
        throw new SourceNotReplayableError(name, 'Pass a function that makes it: fromAsyncIterable(() => …)');
      }
      used.add(iterator);
      const pulled = { next: () => iterator.next(), stop: () => iterator.return?.() };
      return decoded(new PullReader<unknown>(pulled, environment.clock), name, options);
    },
  };
}

type AsyncIterableOrMaker<Item> =
  | AsyncIterable<Item>
  | ((signal: AbortSignal) => AsyncIterable<Item> | PromiseLike<AsyncIterable<Item>>);

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof propertyOf(value, Symbol.asyncIterator) === 'function';
}
