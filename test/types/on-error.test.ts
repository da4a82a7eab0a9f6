import {
  collect,
  type DataStream,
  type DeadLetter,
  deadLetterRecord,
  fromArray,
  Job,
  type Sink,
} from '../../src/index.ts';

// Checked by the compiler: what these lines say is in their types. Jest runs them to see that they can be called.

interface Flight {
  readonly origin: string;
  readonly delay: number;
}

const flights = (): DataStream<Flight> => Job.create('flights').source('flights', fromArray<Flight>([]));
/** Never called: holds what must not compile. */
const refused = (_lines: () => unknown): void => {};

it('a function of onError answers what the function would have answered', () => {
  const lengths: DataStream<number> = flights().map(({ origin }) => origin.length, { onError: () => 0 });
  // @ts-expect-error the function returns a number
  refused(() => flights().map(({ origin }) => origin.length, { onError: () => 'none' }));
  // @ts-expect-error a flight has no speed
  refused(() => flights().map(({ origin }) => origin.length, { onError: (_error, flight) => flight.speed }));
  const late: DataStream<Flight> = flights().filter(({ delay }) => delay > 0, { onError: (_, { delay }) => delay < 9 });
  // @ts-expect-error a predicate says yes or no
  refused(() => flights().filter(({ delay }) => delay > 0, { onError: () => 'yes' }));
  const letters: DataStream<string> = flights().flatMap(({ origin }) => origin, { onError: () => ['?'] });
  // @ts-expect-error any number of results, not one
  refused(() => flights().flatMap(({ origin }) => [origin.length], { onError: () => 0 }));
  const asked: DataStream<number> = flights().mapAsync(async ({ delay }) => delay, { onError: () => 0 });
  const askedLater: DataStream<number> = flights().mapAsync(async ({ delay }) => delay, { onError: async () => 0 });
  // @ts-expect-error a number, in time
  refused(() => flights().mapAsync(async ({ delay }) => delay, { onError: async () => 'none' }));
  // @ts-expect-error map does not wait
  refused(() => flights().map(({ delay }) => delay, { onError: async () => 0 }));
  const keyed: DataStream<number> = flights()
    .keyBy(({ origin }) => origin)
    .mapAsync(async ({ delay }) => delay, {
      onError: (_error, { delay }, { position }) => delay + (position?.length ?? 0),
    });
  const byOrigin = flights().keyBy(({ origin }) => origin);
  // @ts-expect-error a number
  refused(() => byOrigin.mapAsync(async ({ delay }) => delay, { onError: () => 'none' }));
  expect([lengths, late, letters, asked, askedLater, keyed]).toHaveLength(6);
});

it('a fold and a state have no function that could answer for them', () => {
  const keyed = () => flights().keyBy(({ origin }) => origin);
  expect(keyed().reduce((a) => a, { onError: 'skip', maxErrors: { share: 0.1 } })).toBeDefined();
  // @ts-expect-error what would it answer
  refused(() => keyed().reduce((a) => a, { onError: () => 0 }));
  // @ts-expect-error what would it answer
  refused(() => keyed().process<1, number>({ onRecord: () => {} }, { onError: () => 0 }));
  const isLate = (flight: Flight): flight is Flight & { delay: 1 } => flight.delay === 1;
  // @ts-expect-error a guard narrows the type: a function cannot answer for it
  const narrowed: DataStream<Flight & { delay: 1 }> = flights().filter(isLate, { onError: () => true });
  expect(narrowed).toBeDefined();
});

it('a pipe has no onError', () => {
  // @ts-expect-error an error ends the pipe
  refused(() => flights().through((source) => source, { onError: 'skip' }));
});

it('dead letters have the records of their operator', () => {
  const anything: Sink<unknown> = collect();
  const typed = collect<DeadLetter<Flight>>();
  flights().map(({ delay }) => delay, { onError: { deadLetter: anything } });
  flights().map(({ delay }) => delay, { onError: { deadLetter: typed } });
  // @ts-expect-error its letters hold flights
  refused(() => flights().map(({ delay }) => delay, { onError: { deadLetter: collect<DeadLetter<string>>() } }));
  const again: DataStream<Flight> = Job.create('again')
    .source('dead', fromArray(typed.records))
    .flatMap(deadLetterRecord);
  expect(again).toBeDefined();
});
