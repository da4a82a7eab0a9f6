import { bufferCount, map as rxMap, type Observable } from 'rxjs';
import type { DataStream, KeyedStream, RecordOf } from '../../src/api/data-stream.ts';
import { Job } from '../../src/api/job.ts';
import type { KeyedProcessContext } from '../../src/operators/operator-description.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';

// Checked by the compiler: the types of these lines are the tests. Jest runs them to check that they can be called.

interface Flight {
  readonly origin: string;
  readonly delay: number | null;
}
interface Delayed extends Flight {
  readonly delay: number;
}
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does not compile unless the records of `stream` are exactly `Expected`. */
function holds<Expected>() {
  return <Actual>(stream: DataStream<Actual>, _isSame: Same<Actual, Expected>): DataStream<Actual> => stream;
}

const source = <Out>(): Source<Out> => ({
  name: 'memory',
  maxParallelism: 1,
  open: () => ({ read: () => null, close() {} }),
});
const sink = <In>(): Sink<In> => ({
  name: 'void',
  guarantee: 'at-least-once',
  open: () => ({ write() {}, commit() {}, abort() {} }),
});
const flights = () => Job.create('flights').source('flights', source<Flight>());
/** Never called: contains what must not compile. */
const refused = (_lines: () => unknown): void => {};

it('only a source can be declared not replayable', () => {
  const job = Job.create('flights');
  holds<Flight>()(job.source('live', source<Flight>(), { replayable: false }), true);
  holds<Flight>()(job.source('as it says', source<Flight>(), { replayable: undefined }), true);
  holds<Flight>()(job.source('of itself', { ...source<Flight>(), replayable: false }), true);
  // @ts-expect-error it can or it cannot
  refused(() => job.source('perhaps', source<Flight>(), { replayable: 'perhaps' }));
  // @ts-expect-error an operator reads what its source reads
  refused(() => flights().map((flight) => flight, { replayable: false }));
});

describe('records are inferred', () => {
  it('from the source', () => {
    holds<Flight>()(flights(), true);
    refused(() => holds<Delayed>()(flights(), false));
  });

  it('through map and flatMap', () => {
    holds<number | null>()(
      flights().map((flight) => flight.delay),
      true,
    );
    holds<string>()(
      flights().flatMap((flight) => flight.origin.split('-')),
      true,
    );
    holds<readonly [string, 1]>()(
      flights().map((flight) => [flight.origin, 1] as const),
      true,
    );
    refused(() =>
      flights().map((flight) => {
        // @ts-expect-error a flight has no speed
        return flight.speed;
      }),
    );
    refused(() =>
      flights().flatMap(
        // @ts-expect-error a number is not iterable
        (flight) => flight.delay,
      ),
    );
  });

  it('narrowed by a type guard, including an inferred one', () => {
    holds<Delayed>()(
      flights().filter((flight): flight is Delayed => flight.delay !== null),
      true,
    );
    holds<number>()(
      flights()
        .map((flight) => flight.delay)
        .filter((delay) => delay !== null),
      true,
    );
    holds<Flight>()(
      flights().filter((flight) => flight.origin === 'OSL', { uid: 'oslo' }),
      true,
    );
    refused(() =>
      flights().filter(
        // @ts-expect-error a number is no answer to a yes-or-no question
        (flight) => flight.origin.length,
      ),
    );
  });

  it('awaited by mapAsync', () => {
    holds<number>()(
      flights().mapAsync(async (flight) => flight.origin.length),
      true,
    );
    holds<string>()(
      flights().mapAsync((flight, { signal }) => (signal.aborted ? '' : Promise.resolve(flight.origin))),
      true,
    );
    refused(() =>
      flights().mapAsync(
        async (flight) => flight,
        // @ts-expect-error the option is called concurrency
        { parallel: 3 },
      ),
    );
  });

  it('limited by the cost of a record and its key: both have its type', () => {
    const limits = { tokens: 5, perMs: 1 };
    holds<string>()(
      flights().mapAsync(async (flight) => flight.origin, {
        rateLimit: [
          { calls: 1, perMs: 1 },
          { ...limits, cost: (flight) => flight.origin.length },
        ],
        concurrencyPerKey: { key: (flight) => flight.origin, limit: 2 },
      }),
      true,
    );
    holds<string>()(
      flights()
        .keyBy((flight) => flight.origin)
        .mapAsync(async (flight) => flight.origin, { concurrencyPerKey: 2 }),
      true,
    );
    refused(() =>
      // @ts-expect-error a text is no cost
      flights().mapAsync(async (flight) => flight, { rateLimit: { ...limits, cost: (flight) => flight.origin } }),
    );
    refused(() =>
      // @ts-expect-error without keyBy a number says nothing of the key
      flights().mapAsync(async (flight) => flight, { concurrencyPerKey: 2 }),
    );
  });

  it('through RxJS operators', () => {
    holds<Flight[]>()(flights().through(bufferCount(2)), true);
    holds<string>()(flights().through(rxMap((flight) => flight.origin)), true);
    holds<1>()(
      flights().through((flight$: Observable<Flight>) => flight$.pipe(rxMap(() => 1 as const))),
      true,
    );
    refused(() =>
      flights().through(
        // @ts-expect-error it takes numbers
        (number$: Observable<number>) => number$,
      ),
    );
  });

  it('through a shuffle', () => {
    holds<Flight>()(flights().rebalance(), true);
    holds<Flight>()(flights().broadcast({ exchange: 'pipelined' }), true);
    holds<Flight>()(flights().forward(), true);
    refused(() =>
      flights().rebalance({
        // @ts-expect-error no exchange
        exchange: 'disk',
      }),
    );
  });

  it('as a union type', () => {
    const job = Job.create('all');
    const words = job.source('words', source<string>());
    const numbers = job.source('numbers', source<number>());
    const dates = job.source('dates', source<Date>());
    holds<string | number | Date>()(words.union(numbers, dates), true);
    holds<string>()(words.union(words), true);
    refused(() =>
      words.union(
        // @ts-expect-error not a stream
        [1, 2],
      ),
    );
  });
});

describe('keys and results are inferred', () => {
  const keyed = () => flights().keyBy((flight) => flight.origin);

  it('by keyBy', () => {
    const check = <Actual>(_stream: Actual, _isSame: Same<Actual, KeyedStream<Flight, string>>): void => {};
    check(keyed(), true);
    const late = flights().keyBy((flight) => (flight.delay === null ? 'unknown' : 'known'));
    const checkKey = <Of extends string>(
      _stream: KeyedStream<Flight, Of>,
      _isSame: Same<Of, 'unknown' | 'known'>,
    ): void => {};
    checkKey(late, true);
    refused(() =>
      flights().keyBy(
        // @ts-expect-error two objects are never the same key
        (flight) => ({ origin: flight.origin }),
      ),
    );
  });

  it('by reduce, which returns its input type', () => {
    holds<Flight>()(
      keyed().reduce((a, b) => ({ ...a, delay: (a.delay ?? 0) + (b.delay ?? 0) })),
      true,
    );
    refused(() =>
      keyed().reduce(
        // @ts-expect-error a reduced flight is a flight
        (a) => a.origin,
      ),
    );
  });

  it('by aggregate', () => {
    const means = keyed().aggregate({
      create: () => ({ count: 0, sum: 0 }),
      add: (total, flight) => ({ count: total.count + 1, sum: total.sum + (flight.delay ?? 0) }),
      result: (total, origin) => ({ origin, mean: total.sum / total.count }),
    });
    holds<{ origin: string; mean: number }>()(means, true);
    holds<number>()(keyed().aggregate({ create: () => 0, add: (n) => n + 1, result: (n) => n }), true);
    refused(() =>
      keyed().aggregate({
        create: () => 0,
        // @ts-expect-error the accumulator is a number
        add: (count) => `${count}`,
        result: (count) => count,
      }),
    );
  });

  it('by a fold that merges', () => {
    const count = { create: () => 0, add: (n: number) => n + 1, result: (n: number) => n };
    holds<number>()(keyed().aggregate({ ...count, merge: (a, b) => a + b }), true);
    holds<number>()(keyed().aggregate({ ...count, merge: undefined }), true);
    holds<Flight>()(
      keyed().reduce((a) => a, { merge: true }),
      true,
    );
    refused(() =>
      keyed().aggregate({
        ...count,
        // @ts-expect-error the accumulator is a number
        merge: (a, b) => `${a}${b}`,
      }),
    );
    refused(() =>
      keyed().aggregate({
        ...count,
        // @ts-expect-error it merges accumulators, not records
        merge: (a: number, b: Flight) => a + (b.delay ?? 0),
      }),
    );
    // @ts-expect-error only `reduce` has it as an option
    refused(() => keyed().aggregate(count, { merge: true }));
  });

  it('by process, from named types or annotations', () => {
    const named = keyed().process<number, string>({
      onRecord: (flight, context, emit) => {
        context.set((context.get() ?? 0) + (flight.delay ?? 0));
        emit(context.key.toUpperCase());
        // @ts-expect-error it emits strings
        refused(() => emit(1));
      },
      onEnd: (context, emit) => emit(`${context.key} ${context.get()?.toFixed(1)}`),
    });
    holds<string>()(named, true);
    const annotated = keyed().process({
      onRecord: (flight, context: KeyedProcessContext<string, Flight>, emit: (out: [Flight, Flight]) => void) => {
        const before = context.get();
        if (before !== undefined) emit([before, flight]);
        context.set(flight);
      },
    });
    holds<[Flight, Flight]>()(annotated, true);
  });
});

/** `any` */
type Anything = ReturnType<typeof JSON.parse>;

describe('promises are not records', () => {
  const later = async (flight: Flight): Promise<number> => flight.origin.length;
  /** Only the type that stands in place of a stream: its text is the compiler's message. */
  const isRefused = (_: 'a promise is not a record: use mapAsync'): void => {};
  const keyed = () => flights().keyBy((flight) => flight.origin);
  const sum = { create: () => 0, add: (total: number, _: Flight) => total, result: (total: number) => total };

  it('by map, flatMap, through and aggregate', () => {
    refused(() => {
      // @ts-expect-error use mapAsync
      flights().map(later).sink('out', sink<unknown>());
      isRefused(flights().map(later));
      isRefused(flights().map(later, { uid: 'later' }));
      isRefused(flights().map<Promise<number>>(later));
      isRefused(flights().map((): PromiseLike<string> => Promise.resolve('')));
      isRefused(flights().flatMap((flight) => [later(flight)]));
      isRefused(
        flights().flatMap(function* (flight) {
          yield later(flight);
        }),
      );
      isRefused(flights().through(rxMap(later)));
      isRefused(keyed().aggregate({ ...sum, result: async (total) => total }));
      isRefused(keyed().aggregate({ create: async () => 0, add: async (total) => total, result: () => 0 }));
    });
  });

  it('nor verdicts, keys, collections or reduced records', () => {
    refused(() => {
      // @ts-expect-error a promise says neither yes nor no
      flights().filter(async (flight) => flight.delay === null);
      // @ts-expect-error a promise is no key
      flights().keyBy(async (flight) => flight.origin);
      // @ts-expect-error a promise cannot be iterated
      flights().flatMap(async (flight) => [flight]);
      // @ts-expect-error nor an async generator at once
      flights().flatMap(async function* (flight) {
        yield flight;
      });
      // @ts-expect-error a promise is no flight
      keyed().reduce(async (a) => a);
      // @ts-expect-error a promise is no total
      keyed().aggregate({ ...sum, add: async (total: number) => total });
    });
  });

  it('but `any` is a record, and so is a function without a result', () => {
    holds<unknown>()(
      flights().map((flight): unknown => flight),
      true,
    );
    holds<Anything>()(
      flights().map((): Anything => 1),
      true,
    );
    holds<never>()(
      flights().map(() => {
        throw new Error('always');
      }),
      true,
    );
    holds<never>()(
      flights().flatMap(() => []),
      true,
    );
    holds<unknown>()(keyed().aggregate({ ...sum, result: (total): unknown => total }), true);
  });

  it('and so is the record of a stream of any type', () => {
    const twice = <Of>(stream: DataStream<Of>): DataStream<Of> =>
      stream.map((record) => record).flatMap((record) => [record, record]);
    const seen = <Of>(look: (of: Of) => void): ((of: Of) => Of) => {
      return (of) => {
        look(of);
        return of;
      };
    };
    holds<Flight>()(flights().map(seen(() => {})), true);
    const counted = <Of>(stream: DataStream<Of>): DataStream<{ readonly record: Of; readonly count: number }> =>
      stream.map((record) => ({ record, count: 1 }));
    holds<Flight>()(twice(flights()), true);
    holds<{ readonly record: Flight; readonly count: number }>()(counted(flights()), true);
  });
});

describe('a stream in the wrong place', () => {
  it('does not compile into a sink', () => {
    flights().sink('any', sink<unknown>());
    flights().sink('wider', sink<Flight | string>());
    flights().sink('inferred', sink());
    refused(() => {
      // @ts-expect-error a flight is not a string
      flights().sink('other', sink<string>());
      // @ts-expect-error the delay may be null
      flights().sink('narrower', sink<Delayed>());
      // @ts-expect-error the uid of a sink is its name
      flights().sink('out', sink<Flight>(), { uid: 'other' });
    });
  });

  it('does not compile as another stream', () => {
    const wider: DataStream<Flight> = flights().map((flight): Delayed => ({ ...flight, delay: 0 }));
    refused(() => {
      // @ts-expect-error a delay may be null
      const narrower: DataStream<Delayed> = flights();
      return narrower;
    });
    holds<Flight>()(wider, true);
    const origin: RecordOf<ReturnType<typeof flights>>['origin'] = 'OSL';
    expect(origin).toBe('OSL');
  });
});
