import { fromAsyncIterable } from '../../src/connectors/streams/from-async-iterable.ts';
import { fromIterable } from '../../src/connectors/from-iterable.ts';
import { unhandledDuring } from '../operators/stage-driver.ts';
import { revokedProxy, thenable } from '../support/rude-values.ts';
import { contextOf, failureOf, readSubtask } from './subtasks.ts';

/** Any value as the `next` of a JavaScript iterator. */
const nexting = (next: () => unknown) => ({
  [Symbol.iterator]: () => ({ next }),
  [Symbol.asyncIterator]: () => ({ next }),
});

const item = (result: unknown) =>
  `result of next(): expected an object with \`done\` and \`value\`, got ${String(result)}`;

describe.each([
  ['fromIterable', (made: () => unknown) => fromIterable(made as () => Iterable<unknown>)],
  ['fromAsyncIterable', (made: () => unknown) => fromAsyncIterable(made as () => AsyncIterable<unknown>)],
])('%s', (_name, source) => {
  it.each<[what: string, made: () => unknown, message: RegExp | string]>([
    ['a number', () => 1, /returns: expected an? (async )?iterable.*got 1$/],
    ['nothing', () => undefined, /returns: expected an? (async )?iterable.*got undefined$/],
    [
      'a promise that rejects',
      () => Promise.reject(new Error('no')),
      /returns: expected .* got \[object Promise\]$|^no$/,
    ],
    ['a revoked proxy', revokedProxy, /proxy that has been revoked/],
    ['an iterator that answers a number', () => nexting(() => 7), item(7)],
    ['an iterator whose next returns nothing', () => nexting(() => undefined), item(undefined)],
    ['an iterator that answers null', () => nexting(() => null), item(null)],
    ['an iterator that answers a revoked proxy', () => nexting(revokedProxy), /proxy that has been revoked/],
  ])('refuses %s', async (_, made, message) => {
    const unhandled = await unhandledDuring(async () => {
      const failure = await failureOf(readSubtask(source(made)));
      expect(failure.message).toMatch(message);
      if (typeof message !== 'string') return;
      expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT', recovery: 'never' });
    });
    expect(unhandled).toEqual([]);
  });
});

describe('fromIterable', () => {
  it('refuses an async iterator that pretends to be synchronous', async () => {
    const unhandled = await unhandledDuring(async () => {
      const disguised = () => nexting(() => Promise.reject(new Error('late'))) as Iterable<unknown>;
      const failure = await failureOf(readSubtask(fromIterable(disguised)));
      expect(failure.message).toMatch(/^result of next\(\): .*fromAsyncIterable.*got \[object Promise\]$/);
    });
    expect(unhandled).toEqual([]);
  });

  it('ignores a return() that answers with a rejected promise', async () => {
    const unhandled = await unhandledDuring(async () => {
      const stop = () => Promise.reject(new Error('late'));
      const source = fromIterable(() => ({
        [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }), return: stop as never }),
      }));
      const reader = await source.open(contextOf());
      await reader.close();
    });
    expect(unhandled).toEqual([]);
  });
});

describe('fromAsyncIterable accepts what `for await` accepts', () => {
  const counting = (wrap: (result: IteratorResult<number>) => unknown) => () => {
    let count = 0;
    return nexting(() => wrap(count < 5_000 ? { done: false, value: count++ } : { done: true, value: undefined }));
  };

  it.each<[string, (result: IteratorResult<number>) => unknown]>([
    ['results at once', (result) => result],
    ['thenables that answer at once', (result) => thenable((yes) => yes(result))],
    ['thenables that answer later', (result) => thenable((yes) => setImmediate(yes, result))],
  ])('%s', async (_, wrap) => {
    const source = fromAsyncIterable(counting(wrap) as unknown as () => AsyncIterable<number>);
    expect(await readSubtask(source, {}, 5_000)).toEqual(Array.from({ length: 5_000 }, (__, index) => index));
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['returns nothing', () => undefined],
    ['returns a thenable that rejects', () => thenable((_, no) => no(new Error('no')))],
  ])('a return() that %s', async (_, stop) => {
    const pending = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: stop }) };
    const unhandled = await unhandledDuring(async () => {
      const reader = await fromAsyncIterable(() => pending as unknown as AsyncIterable<number>).open(contextOf());
      void reader.read(1);
      await reader.close();
    });
    expect(unhandled).toEqual([]);
  });
});
