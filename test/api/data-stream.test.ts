import type { DataStream, KeyedStream } from '../../src/api/data-stream.ts';
import { Job, type JobOptions } from '../../src/api/job.ts';
import { InvalidArgumentError, JobValidationError } from '../../src/errors/usage-errors.ts';
import type { OperatorDescription } from '../../src/operators/operator-description.ts';
import type { Sink } from '../../src/operators/sink.ts';
import { add, type Flight, flights, sinkOf, sourceOf } from './outside.ts';

const origin = (flight: Flight) => flight.origin;
const same = (flight: Flight) => flight;
const uidsOf = (job: Job) => job.steps.map((step) => step.uid);

type Aggregate = Extract<OperatorDescription, { kind: 'aggregate' }>;

function aggregateOf(build: (keyed: KeyedStream<Flight, string>) => void, options: JobOptions = {}): Aggregate {
  const job = Job.create('flights', options);
  build(job.source('in', flights()).keyBy(origin));
  const step = job.steps.at(-1)?.step;
  if (step?.kind !== 'operator' || step.operator.kind !== 'aggregate') throw new Error('not an aggregate');
  return step.operator;
}

/** The fold of an aggregate over the records of one key, by its contract. */
function fold(aggregate: Aggregate, key: unknown, records: readonly Flight[]): unknown {
  const [first, ...others] = records;
  let accumulator = aggregate.create(first as never);
  for (const record of others) accumulator = aggregate.add(accumulator as never, record as never);
  return aggregate.result(accumulator as never, key as never);
}

const oslo = (delay: number): Flight => ({ origin: 'OSL', delay });

describe('a folded key', () => {
  it('reduces its records pairwise, the first one unchanged', () => {
    const reduce = aggregateOf((keyed) => keyed.reduce(add));
    expect(fold(reduce, 'OSL', [oslo(4)])).toEqual(oslo(4));
    expect(fold(reduce, 'OSL', [oslo(4), oslo(9), oslo(1)])).toEqual(oslo(14));
  });

  it('adds every record, including the first, to its own accumulator', () => {
    const aggregate = aggregateOf((keyed) =>
      keyed.aggregate({
        create: () => ({ count: 0, sum: 0 }),
        add: (total, flight) => {
          total.count++;
          total.sum += flight.delay;
          return total;
        },
        result: (total, key) => `${key}: ${total.sum / total.count}`,
      }),
    );
    expect(fold(aggregate, 'OSL', [oslo(4), oslo(8)])).toBe('OSL: 6');
    expect(fold(aggregate, 'TRD', [oslo(3)])).toBe('TRD: 3');
  });

  it.each([
    [{}, undefined, 'final'],
    [{ mode: 'batch' }, undefined, 'final'],
    [{ mode: 'streaming' }, undefined, 'updates'],
    [{ mode: 'batch' }, 'updates', 'updates'],
    [{ mode: 'streaming' }, 'final', 'final'],
  ] as const)('in a job with %j, asked for %p, emits %p', (options, asked, emit) => {
    const fold = asked === undefined ? {} : { emit: asked };
    expect(aggregateOf((keyed) => keyed.reduce(add, fold), options).emit).toBe(emit);
    const counting = { create: () => 0, add: (n: number) => n + 1, result: (n: number) => n };
    expect(aggregateOf((keyed) => keyed.aggregate(counting, fold), options).emit).toBe(emit);
  });
});

describe('names', () => {
  it('are derived from the method, with a number', () => {
    const job = Job.create('flights');
    job
      .source('in', flights())
      .map(same)
      .filter(() => true)
      .map(same)
      .keyBy(origin)
      .reduce(add)
      .sink('out', sinkOf());
    expect(uidsOf(job)).toEqual(['in', 'map-1', 'filter-1', 'map-2', 'reduce-1', 'out']);
  });

  it('skip a name that the user gave', () => {
    const job = Job.create('flights');
    job
      .source('in', flights())
      .filter(() => true, { uid: 'map-1' })
      .map(same)
      .sink('out', sinkOf());
    expect(uidsOf(job)).toEqual(['in', 'map-1', 'map-2', 'out']);
  });

  it.each<[string, (source: DataStream<Flight>, job: Job) => void, RegExp]>([
    ['two operators', (s) => s.map(same, { uid: 'x' }).filter(() => true, { uid: 'x' }), /"x": a map and a filter/],
    ['a source and an operator', (s) => s.map(same, { uid: 'in' }), /"in": a source and a map/],
    ['two sources', (_, job) => job.source('in', flights()), /"in": a source and a source/],
    ['an operator and a sink', (s) => s.map(same, { uid: 'x' }).sink('x', sinkOf()), /"x": a map and a sink/],
    ['a derived one', (s) => s.map(same).filter(() => true, { uid: 'map-1' }), /"map-1": a map and a filter/],
  ])('are unique: %s', (_, build, message) => {
    const job = Job.create('flights');
    const source = job.source('in', flights());
    expect(() => build(source, job)).toThrow(JobValidationError);
    const again = Job.create('flights');
    const sourceAgain = again.source('in', flights());
    expect(() => build(sourceAgain, again)).toThrow(message);
  });
});

describe('a step', () => {
  const source = () => Job.create('flights').source('in', flights());
  const call = async (id: unknown) => id;

  it.each<[string, () => unknown, RegExp]>([
    ['an empty job name', () => Job.create(''), /name of a job: expected a non-empty string, got ""/],
    ['a blank job name', () => Job.create('  '), /name of a job/],
    [
      'an unknown mode',
      () => Job.create('a', { mode: 'lazy' as 'batch' }),
      /mode of job "a": expected "batch" or "stre/,
    ],
    [
      'a job parallelism of 0',
      () => Job.create('a', { parallelism: 0 }),
      /parallelism of job "a": expected an integer/,
    ],
    ['an empty source name', () => Job.create('a').source('', flights()), /uid of a source/],
    ['an empty sink name', () => source().sink('', sinkOf()), /uid of a sink/],
    ['an empty uid', () => source().map(same, { uid: '' }), /uid of a map/],
    ['half a subtask', () => source().map(same, { uid: 'm', parallelism: 1.5 }), /parallelism of "m": .* got 1.5/],
    ['too many subtasks', () => source().map(same, { parallelism: 2 ** 30 }), /from 1 to 1048576/],
    [
      'an unknown exchange',
      () => source().rebalance({ exchange: 'fast' as 'blocking' }),
      /exchange of rebalance.*"fast"/,
    ],
    [
      'an unknown exchange of an operator',
      () => source().map(same, { exchange: 'x' as 'blocking' }),
      /exchange of "map-1"/,
    ],
    ['no function', () => source().map(undefined as never), /map: expected a function/],
    ['no key function', () => source().keyBy('origin' as never), /keyBy: expected a function, got "origin"/],
    [
      'an aggregate without add',
      () =>
        source()
          .keyBy(origin)
          .aggregate({ create: () => 0 } as never),
      /add of aggregate/,
    ],
    [
      'an unknown emit',
      () =>
        source()
          .keyBy(origin)
          .reduce(add, { emit: 'once' as 'final' }),
      /emit of reduce/,
    ],
    ['no source', () => Job.create('a').source('in', 'file.csv' as never), /source "in": expected a source/],
    ['no sink', () => source().sink('out', {} as never), /sink "out": expected a sink/],
    [
      'a union with a value that is not a stream',
      () => source().union([] as never),
      /union: expected streams of the same job/,
    ],
    ['concurrency 0', () => source().mapAsync(call, { concurrency: 0 }), /concurrency of "mapAsync": .*from 1, got 0/],
    ['a negative timeout', () => source().mapAsync(call, { uid: 'ask', timeoutMs: -1 }), /timeoutMs of "ask"/],
    ['an endless timeout', () => source().mapAsync(call, { timeoutMs: Infinity }), /timeoutMs/],
    ['half a retry', () => source().mapAsync(call, { retries: 0.5 }), /retries .*from 0/],
    ['a rate of no calls', () => source().mapAsync(call, { rateLimit: { calls: 0, perMs: 10 } }), /rateLimit.calls/],
    ['a rate per no time', () => source().mapAsync(call, { rateLimit: { calls: 1, perMs: 0 } }), /rateLimit.perMs/],
    [
      'a rate that is a number',
      () => source().mapAsync(call, { rateLimit: 5 as never }),
      /rateLimit .*\{ calls, perMs \}/,
    ],
    ['an order that is a word', () => source().mapAsync(call, { ordered: 'no' as never }), /ordered .*true or false/],
    ['a timeout past what Node keeps', () => source().mapAsync(call, { timeoutMs: 2 ** 31 }), /timeoutMs .*2147483647/],
    [
      'a declaration of a job that is a string',
      () => Job.create('a', { deterministic: 'yes' as never }),
      /deterministic of job "a": expected true or false, got "yes"/,
    ],
    [
      'a declaration of a source that is a string',
      () => Job.create('a').source('in', flights(), { deterministic: 1 as never }),
      /deterministic of "in"/,
    ],
    [
      'a declaration of an operator that is a string',
      () => source().map(same, { uid: 'm', deterministic: 'no' as never }),
      /deterministic of "m": expected true or false/,
    ],
    [
      'a declaration that cannot be true',
      () => source().mapAsync(call, { uid: 'ask', ordered: false, deterministic: true }),
      /deterministic of "ask": expected false, or `ordered: true`/,
    ],
    ['a fixed retry delay', () => source().mapAsync(call, { retryDelayMs: 5 as never }), /retryDelayMs/],
  ])('refuses %s', (_, build, message) => {
    expect(build).toThrow(InvalidArgumentError);
    expect(build).toThrow(message);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a stream of another job in a union',
      () => source().union(Job.create('trains').source('departures', sourceOf<Flight>())),
      /union of "in" with "departures" mixes the jobs "flights" and "trains"\. Build both/,
    ],
    [
      'a distribution that has no effect',
      () => source().broadcast().keyBy(origin),
      /"in" is passed to keyBy\(\) directly after broadcast\(\), which would have no effect\. Remove broadcast\(\)/,
    ],
    [
      'two exchanges for one edge',
      () => source().rebalance({ exchange: 'pipelined' }).map(same, { exchange: 'blocking' }),
      /"in" has the exchange pipelined, but "map-1" asks for blocking\. Name the exchange in one place/,
    ],
  ])('refuses %s', (_, build, message) => {
    expect(build).toThrow(JobValidationError);
    expect(build).toThrow(message);
  });

  it('that was refused leaves no trace', () => {
    const job = Job.create('flights');
    const source = job.source('in', flights());
    expect(() => source.map(same, { parallelism: 0 })).toThrow(InvalidArgumentError);
    source.map(same).sink('out', sinkOf() as Sink<Flight>);
    expect(uidsOf(job)).toEqual(['in', 'map-1', 'out']);
  });
});

describe('an async function or a generator is refused in the call', () => {
  // JavaScript code that the compiler would refuse.
  const later = (async () => {}) as never;
  const generator = function* () {} as never;
  const laterMany = async function* () {} as never;
  const stream = () => Job.create('flights').source('in', flights());
  const sum = { create: () => 0, add, result: (total: number) => total };

  it.each<[string, (fn: never) => unknown]>([
    ['map', (fn) => stream().map(fn)],
    ['filter', (fn) => stream().filter(fn)],
    ['keyBy', (fn) => stream().keyBy(fn)],
    ['reduce', (fn) => stream().keyBy(origin).reduce(fn)],
    [
      'create of aggregate',
      (create) =>
        stream()
          .keyBy(origin)
          .aggregate({ ...sum, create } as never),
    ],
    [
      'add of aggregate',
      (given) =>
        stream()
          .keyBy(origin)
          .aggregate({ ...sum, add: given } as never),
    ],
    [
      'result of aggregate',
      (result) =>
        stream()
          .keyBy(origin)
          .aggregate({ ...sum, result } as never),
    ],
    ['onRecord of process', (onRecord) => stream().keyBy(origin).process({ onRecord })],
    [
      'onEnd of process',
      (onEnd) =>
        stream()
          .keyBy(origin)
          .process({ onRecord: () => {}, onEnd }),
    ],
  ])('%s', (what, build) => {
    for (const fn of [later, laterMany]) {
      expect(() => build(fn)).toThrow(
        new RegExp(`^${what}: expected a synchronous function \\(for an asynchronous one use mapAsync`),
      );
    }
    expect(() => build(generator)).toThrow(
      new RegExp(`^${what}: expected a function that is not a generator \\(for any number of records use flatMap`),
    );
  });

  it('flatMap, unless it is a generator', () => {
    for (const fn of [later, laterMany]) expect(() => stream().flatMap(fn)).toThrow(/^flatMap: .*use mapAsync/);
    expect(() => stream().flatMap(generator)).not.toThrow();
  });
});

describe('the declaration of determinism', () => {
  const call = async (flight: Flight) => flight;

  it.each<{ rule: string; options?: JobOptions; build: (source: DataStream<Flight>) => void; claims: string }>([
    { rule: 'it is off by default', build: (s) => s.map(same), claims: '' },
    { rule: 'an operator makes it', build: (s) => s.map(same, { deterministic: true }).map(same), claims: 'map-1' },
    {
      rule: 'a job makes it for operators without their own',
      options: { deterministic: true },
      build: (s) => s.map(same).filter(() => true, { deterministic: false }),
      claims: 'map-1',
    },
    { rule: 'a job does not make it', options: { deterministic: false }, build: (s) => s.map(same), claims: '' },
    {
      rule: 'calls answered in order can make it',
      options: { deterministic: true },
      build: (s) => s.mapAsync(call).mapAsync(call, { ordered: true, deterministic: true }),
      claims: 'mapAsync-1 mapAsync-2',
    },
    {
      rule: 'calls answered as they end cannot',
      options: { deterministic: true },
      build: (s) => s.mapAsync(call, { ordered: false }).mapAsync(call, { ordered: false, deterministic: false }),
      claims: '',
    },
    { rule: 'of a sink, which has no consumers', build: (s) => s.sink('out', sinkOf()), claims: 'out' },
  ])('$rule: $claims', ({ options = {}, build, claims }) => {
    const job = Job.create('flights', options);
    build(job.source('in', flights()));
    const claiming = job.steps.filter((step) => step.deterministic).map((step) => step.uid);
    expect(claiming.join(' ')).toBe(claims);
  });

  it.each<{ source: boolean | undefined; asked: boolean | undefined; claims: boolean }>([
    { source: undefined, asked: undefined, claims: false },
    { source: true, asked: undefined, claims: true },
    { source: true, asked: false, claims: false },
    { source: false, asked: true, claims: true },
  ])(
    'of a source that says $source, with the option $asked, is $claims, whatever the job says',
    ({ source, asked, claims }) => {
      for (const deterministic of [true, false]) {
        const job = Job.create('flights', { deterministic });
        const given = { ...flights(), ...(source !== undefined && { deterministic: source }) };
        job.source('in', given, asked === undefined ? {} : { deterministic: asked });
        expect(job.steps[0]?.deterministic).toBe(claims);
      }
    },
  );
});
