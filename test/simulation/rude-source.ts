import type { Source, SourceReader } from '../../src/index.ts';
import { DrawnAnswers } from '../../src/testing/drawn-answers.ts';
import type { SeededRandom } from '../../src/testing/index.ts';

/** A source whose methods answer in drawn manners: by a thenable, later, twice. */
export function rudeSource<Item>(random: SeededRandom, source: Source<Item>): Source<Item> {
  const { plan } = source;
  return {
    ...source,
    ...(plan && {
      plan: (context) => new DrawnAnswers(random, context.environment.clock).give(() => plan.call(source, context)),
    }),
    open: (context, planned) => {
      const answers = new DrawnAnswers(random, context.environment.clock);
      return answers.give(async (): Promise<SourceReader<Item>> => {
        const reader = await source.open(context, planned);
        return {
          read: (maxRecords) => answers.give(() => reader.read(maxRecords)),
          close: () => {
            answers.hurry();
            return answers.give<unknown>(() => reader.close()) as PromiseLike<unknown>;
          },
        };
      });
    },
  };
}

/** The drawn behavior of an iterator's `return()`. */
const farewells: readonly (() => unknown)[] = [
  () => {
    throw new Error('no return');
  },
  () => Promise.reject(new Error('no return')),
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it is for
  () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error('no return')) }),
  () => undefined,
];

/** Iterates `items` from the start each time; the answer of the iterator's `return()` is drawn. */
export function rudeIterable<Item>(random: SeededRandom, items: readonly Item[]): AsyncIterable<Item> {
  return {
    [Symbol.asyncIterator]: () => {
      const entries = items[Symbol.iterator]();
      return {
        next: async () => entries.next(),
        return: () => random.pick(farewells)() as Promise<IteratorResult<Item>>,
      };
    },
  };
}
