import { fromArray, range } from '../../src/connectors/from-array.ts';
import { fromAsyncIterable } from '../../src/connectors/streams/from-async-iterable.ts';
import { fromIterable } from '../../src/connectors/from-iterable.ts';
import type { Source } from '../../src/operators/source.ts';
import { contextOf, drain, failureOf, readSubtask, readSubtasks } from './subtasks.ts';

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

describe('splittable iterables', () => {
  const sources: [name: string, of: (count: number) => Source<number>][] = [
    ['fromArray', (count) => fromArray(numbers(count, 5))],
    ['fromIterable of an array', (count) => fromIterable(numbers(count, 5))],
    ['range', (count) => range(5, 5 + count)],
  ];
  const cases = sources.flatMap(([name, of]) =>
    [0, 1, 2, 10, 1_000].flatMap((count) => [1, 2, 3, 7, 16].map((parallelism) => ({ name, of, count, parallelism }))),
  );

  it.each(cases)('$name: $count records, $parallelism subtasks', async ({ of, count, parallelism }) => {
    const shares = await readSubtasks(of(count), parallelism, 3);
    expect(shares.flat()).toEqual(numbers(count, 5));
    const sizes = shares.map((share) => share.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });

  it('ranges of the largest numbers', async () => {
    const end = Number.MAX_SAFE_INTEGER;
    expect((await readSubtasks(range(end - 4, end), 3)).flat()).toEqual(numbers(4, end - 4));
    const last = await range(0, end).open(contextOf({ subtask: 2, parallelism: 3 }));
    expect(await last.read(1)).toEqual([6004799503160661]);
  });
});

describe('arguments out of range', () => {
  it.each<[title: string, make: () => unknown, message: string]>([
    ['half a start', () => range(0.5, 2), 'start: expected a whole number, got 0.5'],
    ['an end before the start', () => range(3, 2), 'end: expected a whole number, at least 3, got 2'],
    ['no end', () => range(0, Infinity), 'end: expected a whole number, at least 0, got Infinity'],
    ['no array', () => fromArray({} as never), 'records: expected an array, got {}'],
    [
      'no iterable',
      () => fromIterable(3 as never),
      'iterable: expected an iterable or a function that returns one, got 3',
    ],
    [
      'nothing',
      () => fromIterable(undefined as never),
      'iterable: expected an iterable or a function that returns one, got undefined',
    ],
    [
      'no async iterable',
      () => fromAsyncIterable([] as never),
      'iterable: expected an async iterable or a function that returns one, got []',
    ],
  ])('%s', (_title, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message }));
  });
});

function* three() {
  yield* [1, 2, 3];
}

async function* threeLater() {
  yield* [1, 2, 3];
}

const reiterable: AsyncIterable<number> = { [Symbol.asyncIterator]: threeLater };

describe('replay', () => {
  it.each<[title: string, source: Source<number>]>([
    ['a set', fromIterable(new Set([1, 2, 3]))],
    ['a generator function', fromIterable(three)],
    ['an async iterable that can be iterated again', fromAsyncIterable(reiterable)],
    ['an async generator function', fromAsyncIterable(threeLater)],
  ])('%s is read again from the start', async (_title, source) => {
    expect(source).toMatchObject({ maxParallelism: 1, splitLimit: expect.stringMatching('has one reader') });
    const reader = await source.open(contextOf());
    expect(await reader.read(1)).toEqual([1]);
    await reader.close();
    expect(await readSubtask(source, { attempt: 1 })).toEqual([1, 2, 3]);
  });

  const once = three();
  const onceLater = threeLater();
  it.each<[title: string, source: Source<number>, message: string]>([
    [
      'a generator object',
      fromIterable(three()),
      'Source "iterable" cannot be read a second time. Pass a function that makes it: fromIterable(() => …)',
    ],
    [
      'a function that returns the same generator object',
      fromIterable(() => once),
      'Source "iterable" cannot be read a second time. Pass a function that makes it: fromIterable(() => …)',
    ],
    [
      'an async generator object',
      fromAsyncIterable(threeLater()),
      'Source "async iterable" cannot be read a second time. Pass a function that makes it: fromAsyncIterable(() => …)',
    ],
    [
      'a function that returns the same async generator object',
      fromAsyncIterable(() => onceLater),
      'Source "async iterable" cannot be read a second time. Pass a function that makes it: fromAsyncIterable(() => …)',
    ],
  ])('%s cannot be read again', async (_title, source, message) => {
    expect(await readSubtask(source)).toEqual([1, 2, 3]);
    const failure = await failureOf(readSubtask(source, { attempt: 1 }));
    expect(failure).toMatchObject({ code: 'SOURCE_NOT_REPLAYABLE', recovery: 'never', message });
  });
});

describe('an endless iterable', () => {
  it('is pulled as far as requested, and closed', async () => {
    let pulled = 0;
    let isClosed = false;
    function* endless() {
      try {
        for (;;) yield pulled++;
      } finally {
        isClosed = true;
      }
    }
    const reader = await fromIterable(endless).open(contextOf());
    expect(reader.read(3)).toEqual([0, 1, 2]);
    expect(pulled).toBe(3);
    await reader.close();
    expect(isClosed).toBe(true);
  });
});

it('`return` of an iterator that threw is not called', async () => {
  let returns = 0;
  const broken = {
    [Symbol.iterator]: () => ({
      next: (): IteratorResult<number> => {
        throw new Error('broken');
      },
      return: () => ({ done: true as const, value: returns++ }),
    }),
  };
  const failure = await failureOf((async () => drain(await fromIterable(broken).open(contextOf())))());
  expect(failure.message).toBe('broken');
  expect(returns).toBe(0);
});
