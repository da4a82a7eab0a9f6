import { take } from 'rxjs';
import {
  collect,
  csvFile,
  type DataStream,
  type DeadLetter,
  explain,
  fromArray,
  Job,
  jsonLinesFile,
  parquetFile,
  range,
  type Sink,
  toJsonLinesFile,
} from '../../src/index.ts';
import { thrownBy } from '../support/thrown-by.ts';
import { runStory } from '../support/run-story.ts';

const numbers = (): DataStream<number> => Job.create('job').source('numbers', fromArray([1]));
const plain = (stream: DataStream<number>, options: object): unknown => stream.map((n) => n, options);
const messageOf = (action: () => unknown): string =>
  (thrownBy(action) as Error | undefined)?.message ?? 'nothing thrown';

describe('options of onError are checked', () => {
  const dead = collect<unknown>();
  it.each<[string, object, string]>([
    [
      'another word',
      { onError: 'ignore' },
      'onError of map: expected "fail", "skip", { deadLetter: sink } or a function',
    ],
    ['a sink that is none', { onError: { deadLetter: 'out.jsonl' } }, 'onError of map: expected "fail"'],
    ['a misspelt property', { onError: { deadLetter: dead, maxErrors: 1 } }, 'maxErrors of onError of map'],
    ['a limit without onError', { maxErrors: 3 }, 'maxErrors of map: expected no limit without `onError`'],
    ['half an error', { onError: 'skip', maxErrors: 1.5 }, 'maxErrors of map: expected an integer'],
    [
      'another limit',
      { onError: 'skip', maxErrors: '1 %' },
      'maxErrors of map: expected a number, or { share, atLeast }',
    ],
    [
      'a share in percent',
      { onError: 'skip', maxErrors: { share: 5 } },
      'share of maxErrors of map: expected a number from 0',
    ],
    ['no share', { onError: 'skip', maxErrors: { atLeast: 5 } }, 'share of maxErrors of map'],
    ['a negative least', { onError: 'skip', maxErrors: { share: 0.5, atLeast: -1 } }, 'atLeast of maxErrors of map'],
    ['null', { onError: null }, 'onError of map'],
  ])('%s', (_, options, message) => {
    expect(messageOf(() => plain(numbers(), options))).toContain(message);
  });

  it.each<[string, (options: object) => unknown, string]>([
    [
      'reduce',
      (options) =>
        numbers()
          .keyBy((n) => n)
          .reduce((a) => a, options),
      'a function cannot answer for a fold',
    ],
    [
      'process',
      (options) =>
        numbers()
          .keyBy((n) => n)
          .process({ onRecord: () => {} }, options),
      'cannot answer for a fold',
    ],
    ['through', (options) => numbers().through(take(1), options), 'an error ends the pipe. Catch it inside'],
  ])('a function that %s cannot have', (_, describeStep, message) => {
    expect(messageOf(() => describeStep({ onError: () => 1 }))).toContain(message);
  });

  it.each<[string, (options: object) => unknown]>([
    ['jsonLinesFile', (options) => jsonLinesFile('rows', options)],
    ['csvFile', (options) => csvFile('rows', options)],
    ['parquetFile', (options) => parquetFile('rows', options)],
    ['mapAsync', (options) => numbers().mapAsync((n) => n, options)],
  ])('%s checks them too', (name, describeStep) => {
    expect(messageOf(() => describeStep({ onError: 'ignore' }))).toContain(`onError of ${name}`);
  });
});

it('what it rejects is not remembered, so it is not deterministic', () => {
  const job = Job.create('job', { deterministic: true });
  const stream = job.source('numbers', range(0, 9));
  const declared = messageOf(() => stream.map((n) => n, { uid: 'parse', onError: 'skip', deterministic: true }));
  expect(declared).toContain('deterministic of "parse": expected false, or no `onError`');
  stream
    .map((n) => n, { uid: 'taste', onError: 'skip' })
    .rebalance({ exchange: 'reliable' })
    .map((n) => n)
    .sink('out', collect<number>());
  expect(explain(job).toString()).toContain('"taste" may reject other records the next time (`onError`)');
  expect(explain(job).whatRestarts('taste').taskCount).toBe(2);
});

describe('the sink of dead letters', () => {
  const rejecting = (deadLetter: ReturnType<typeof toJsonLinesFile>, parallelism = 1): Job => {
    const job = Job.create('job', { parallelism });
    job
      .source('numbers', range(0, 9))
      .map((n) => n, { uid: 'parse', onError: { deadLetter } })
      .sink('out', toJsonLinesFile('/nowhere/out.jsonl'));
    return job;
  };

  it('must have a place of its own', () => {
    expect(messageOf(() => explain(rejecting(toJsonLinesFile('/nowhere/out.jsonl'))))).toContain(
      'The sinks "parse (dead letters)" and "out" both write /nowhere/out.jsonl',
    );
    const job = Job.create('job');
    job
      .source('dead', jsonLinesFile<DeadLetter<number>>('/nowhere/dead.jsonl'))
      .map((letter) => letter, { uid: 'again', onError: { deadLetter: toJsonLinesFile('/nowhere/dead.jsonl') } })
      .sink('out', collect<unknown>());
    expect(messageOf(() => explain(job))).toContain('which the source "dead" reads');
  });

  it('must allow the parallelism of its operator', () => {
    const deadLetter: Sink<unknown> = {
      ...{ name: 'printer', guarantee: 'at-least-once', maxParallelism: 1 },
      open: () => ({ write() {}, commit() {}, abort() {} }),
    };
    expect(messageOf(() => explain(rejecting(deadLetter, 3)))).toContain(
      'The dead letters of "parse" (printer) allow a parallelism of at most 1, but "parse" runs at 3',
    );
    expect(explain(rejecting(deadLetter, 1)).taskCount).toBe(1);
  });

  it('may be shared, if it is in memory', async () => {
    const dead = collect<DeadLetter<number>>();
    const job = Job.create('job');
    const refuse = (rest: number) => (n: number) => {
      if (n % 3 === rest) throw new Error('no');
      return n;
    };
    const out = collect<number>();
    job
      .source('numbers', range(0, 9))
      .map(refuse(0), { uid: 'first', onError: { deadLetter: dead } })
      .map(refuse(1), { uid: 'second', onError: { deadLetter: dead } })
      .sink('out', out);
    await runStory(job);
    expect(out.records).toEqual([2, 5, 8]);
    expect(dead.records.map(({ operator, record }) => `${operator} ${record}`)).toEqual([
      ...['first 0', 'first 3', 'first 6', 'second 1', 'second 4', 'second 7'],
    ]);
  });

  it('commits what a task rejected that ended early', async () => {
    const dead = collect<DeadLetter<number>>();
    const job = Job.create('job');
    const out = collect<number>();
    job
      .source('numbers', range(0, 10_000))
      .map(
        (n) => {
          if (n === 1) throw new Error('no');
          return n;
        },
        { uid: 'first', onError: { deadLetter: dead } },
      )
      .rebalance({ exchange: 'pipelined' })
      .map((n) => n)
      .through(take(3))
      .sink('out', out);
    await runStory(job, { batchSize: 4 });
    expect([out.records, dead.records.map(({ record }) => record)]).toEqual([[0, 2, 3], [1]]);
  });
});
