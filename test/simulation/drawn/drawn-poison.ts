import type { DataStream, DeadLetter, Exchange, Sink } from '../../../src/index.ts';
import type { SeededRandom } from '../../../src/testing/index.ts';
import { type Item, modulus, nowhere } from './drawn-item.ts';
import type { DrawnSize } from './drawn-size.ts';

/** What may be drawn. */
interface PoisonOptions {
  /** Whether the rejected records are always the same. */
  readonly mayWriteDeadLetters: boolean;
  /** Whether a step may count its records, which come once each. */
  readonly mayCount: boolean;
  readonly drawExchange: (random: SeededRandom) => { exchange?: Exchange };
}

/** Now and then followed by a step whose function fails at some records, and says what becomes of them. */
export function withPoison(
  random: SeededRandom,
  stream: DataStream<Item>,
  { poison }: DrawnSize,
  { mayWriteDeadLetters, mayCount, drawExchange }: PoisonOptions,
): DataStream<Item> {
  if (!random.chance(poison)) return stream;
  const [by, rest] = [random.integer(3, 9), random.integer(0, 2)];
  const taste = (item: Item): Item => {
    if (item.value % by === rest) throw new Error(`${item.value} is poison`);
    return item;
  };
  const deadLetter: Sink<DeadLetter<Item>> = nowhere;
  const drawn = random.pick(['skip', { deadLetter }, { deadLetter }] as const);
  const onError = mayWriteDeadLetters ? drawn : 'skip';
  // Without it, its dead letters are never those of an earlier run, and what reads them begins anew.
  const version = random.fork('version').chance(0.7) ? { version: 1 } : {};
  const options = { onError, maxErrors: { share: 1 }, ...version };
  const single: readonly (() => DataStream<Item>)[] = [
    () => stream.map(taste, options),
    () => stream.map(taste, { onError: (_, { key, value }) => ({ key, value: (value + 1) % modulus }) }),
    () => stream.filter((item) => taste(item).value >= 0, options),
    () =>
      stream.flatMap(function* (item) {
        yield item;
        yield taste(item);
      }, options),
    () =>
      stream.mapAsync(
        async (item) => {
          await Promise.resolve();
          return taste(item);
        },
        {
          ...options,
          retries: random.integer(0, 1),
          retryDelayMs: () => 1,
          ordered: random.chance(0.5),
          concurrency: random.integer(1, 4),
        },
      ),
  ];
  const counting: readonly (() => DataStream<Item>)[] = [
    () =>
      stream
        .keyBy((item) => taste(item).value % 3, drawExchange(random))
        .reduce((a, b) => ({ key: 0, value: (a.value + b.value) % modulus }), { ...options, emit: 'final' })
        .map(({ value }) => ({ key: 0, value })),
    () =>
      stream
        .keyBy(({ value }) => value % 5, drawExchange(random))
        .process<number, Item>(
          {
            onRecord: (item, sum, emit) => {
              emit(item);
              sum.set(((sum.get() ?? 0) + item.value) % modulus);
              taste(item);
            },
            onEnd: (sum, emit) => emit({ key: sum.key, value: sum.get() ?? 0 }),
          },
          options,
        ),
  ];
  return random.pick(mayCount ? [...single, ...counting] : single)();
}
