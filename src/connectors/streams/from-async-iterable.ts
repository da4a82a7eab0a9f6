import { SourceNotReplayableError } from '../../errors/connector-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { Source } from '../../operators/source.ts';
import { checkDecodeOptions, type DecodeOptions, decoded, decodingErrors, type MayDecode } from '../lines/decoder.ts';
import { PullReader } from './pull-reader.ts';

/**
 * Reads an async iterable, or the one that a function returns per call; the function gets a signal that is aborted when
 * the task ends early. Items are pulled one at a time, on demand. A partial batch is emitted as soon as the next item
 * is not ready. The iterable may be endless.
 *
 * With `decode`, it reads the records in the bytes of the iterable, such as the body of an S3 object.
 *
 * Not splittable: one subtask. Replayable from the start if it can be iterated again. An async generator object cannot:
 * a restarted subtask fails with a `SourceNotReplayableError`. If a function's next iterable does not begin at the
 * start, as with a live feed, declare it: `job.source(name, …, { replayable: false })`.
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
    ...decodingErrors(options),
    open: async (context) => {
      const { signal, environment } = context;
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
      return decoded(new PullReader<unknown>(pulled, environment.clock), name, options, context);
    },
  };
}

type AsyncIterableOrMaker<Item> =
  | AsyncIterable<Item>
  | ((signal: AbortSignal) => AsyncIterable<Item> | PromiseLike<AsyncIterable<Item>>);

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof propertyOf(value, Symbol.asyncIterator) === 'function';
}
