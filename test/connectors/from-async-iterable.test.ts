import { fromAsyncIterable } from '../../src/connectors/streams/from-async-iterable.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { contextOf, failureOf, readSubtask } from './subtasks.ts';

/** An async iterator whose items come on command. */
function byHand() {
  const asked: PromiseWithResolvers<IteratorResult<number>>[] = [];
  let returns = 0;
  const iterator: AsyncIterator<number> = {
    next: () => {
      const item = deferred<IteratorResult<number>>();
      asked.push(item);
      return item.promise;
    },
    return: () => {
      returns++;
      return new Promise(() => {});
    },
  };
  return {
    iterable: { [Symbol.asyncIterator]: () => iterator },
    give: (value: number) => asked.at(-1)?.resolve({ done: false, value }),
    end: () => asked.at(-1)?.resolve({ done: true, value: undefined }),
    fail: (error: unknown) => asked.at(-1)?.reject(error),
    askedCount: () => asked.length,
    returnCount: () => returns,
  };
}

interface PromiseWithResolvers<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

function deferred<Value>(): PromiseWithResolvers<Value> {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

async function opened() {
  const origin = byHand();
  const environment = virtualEnvironment();
  const reader = await fromAsyncIterable(origin.iterable).open(contextOf({ environment }));
  return { origin, environment, reader };
}

async function* countTo(end: number) {
  for (let number = 0; number < end; number++) yield number;
}

it.each([0, 1, 99, 100, 101, 5_000])('%i items', async (count) => {
  const numbers = Array.from({ length: count }, (_, index) => index);
  expect(await readSubtask(fromAsyncIterable(() => countTo(count)))).toEqual(numbers);
});

it('items that are ready make a full batch', async () => {
  const reader = await fromAsyncIterable(() => countTo(10)).open(contextOf({ environment: virtualEnvironment() }));
  expect(await reader.read(4)).toEqual([0, 1, 2, 3]);
  expect(await reader.read(4)).toEqual([4, 5, 6, 7]);
  expect(await reader.read(4)).toEqual([8, 9]);
  expect(await reader.read(4)).toBeNull();
});

it('a partial batch is emitted when the next item is not ready, and nothing is lost', async () => {
  const { origin, environment, reader } = await opened();
  const first = environment.drive(Promise.resolve(reader.read(3)));
  origin.give(1);
  expect(await first).toEqual([1]);
  expect(origin.askedCount()).toBe(2);
  origin.give(2);
  await environment.settle();
  expect(origin.askedCount()).toBe(2);
  const second = environment.drive(Promise.resolve(reader.read(3)));
  expect(await second).toEqual([2]);
});

it('requests one item at a time, and none before a read', async () => {
  const { origin, environment, reader } = await opened();
  expect(origin.askedCount()).toBe(0);
  const batch = reader.read(1);
  expect(origin.askedCount()).toBe(1);
  origin.give(1);
  expect(await batch).toEqual([1]);
  await environment.settle();
  expect(origin.askedCount()).toBe(1);
});

it.each<[title: string, thrown: unknown, failure: object]>([
  ['an error', new RangeError('gone'), { name: 'RangeError', message: 'gone' }],
  ['something else', 'gone', { code: 'NON_ERROR_THROWN', thrown: 'gone' }],
])('emits its records before %s', async (_title, thrown, expected) => {
  const { origin, environment, reader } = await opened();
  const batch = environment.drive(Promise.resolve(reader.read(3)));
  origin.give(1);
  await batch;
  origin.fail(thrown);
  await environment.settle();
  expect(await failureOf(Promise.resolve(reader.read(3)))).toMatchObject(expected);
});

it('a `next` that throws is a failure', async () => {
  const broken = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        throw new Error('broken');
      },
    }),
  };
  expect((await failureOf(readSubtask(fromAsyncIterable(broken)))).message).toBe('broken');
});

describe('close', () => {
  it('does not wait for a pending item, and settles the read', async () => {
    const { origin, reader } = await opened();
    const batch = reader.read(3);
    await reader.close();
    expect(await batch).toBeNull();
    expect(origin.returnCount()).toBe(1);
  });

  it('runs the `finally` of a generator between items', async () => {
    let isClosed = false;
    const source = fromAsyncIterable(async function* () {
      try {
        yield* [1, 2, 3];
      } finally {
        await Promise.resolve();
        isClosed = true;
      }
    });
    const reader = await source.open(contextOf());
    await reader.read(1);
    await reader.close();
    expect(isClosed).toBe(true);
  });

  it('does not call `return` of an iterator that ended', async () => {
    const { origin, reader } = await opened();
    const batch = reader.read(3);
    origin.end();
    expect(await batch).toBeNull();
    await reader.close();
    expect(origin.returnCount()).toBe(0);
  });
});

it('the function gets the signal of the attempt', async () => {
  const cancel = new AbortController();
  const signals: AbortSignal[] = [];
  const source = fromAsyncIterable((signal) => {
    signals.push(signal);
    return countTo(1);
  });
  await readSubtask(source, { signal: cancel.signal });
  expect(signals).toEqual([cancel.signal]);
});
