import type { Source, SourceReader } from '../../src/index.ts';
import { DrawnAnswers } from '../../src/testing/drawn-answers.ts';
import type { SeededRandom } from '../../src/testing/index.ts';

/** A source whose every method answers in manners that are drawn: by what is only like a promise, later, twice. */
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

/** What happens when an iterator is told that nobody needs more. */
const farewells: readonly (() => unknown)[] = [
  () => {
    throw new Error('no return');
  },
  () => Promise.reject(new Error('no return')),
  // oxlint-disable-next-line unicorn/no-thenable -- that is what it is for
  () => ({ then: (_: unknown, no: (error: Error) => void) => no(new Error('no return')) }),
  () => undefined,
];

/** Iterates `items` anew each time; what `return()` of the iterator answers is drawn. */
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
