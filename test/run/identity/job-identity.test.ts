import { pairwise } from 'rxjs';
import type { DataStream } from '../../../src/api/data-stream.ts';
import { memory, reliable } from '../../../src/api/exchange.ts';
import { Job, type SourceOptions } from '../../../src/api/job.ts';
import { planJob } from '../../../src/api/job-planner.ts';
import { collect } from '../../../src/connectors/collect.ts';
import { csvFile } from '../../../src/connectors/csv/csv-file.ts';
import { toCsvFile } from '../../../src/connectors/csv/to-csv-file.ts';
import { forEach } from '../../../src/connectors/for-each.ts';
import { fromArray, range } from '../../../src/connectors/from-array.ts';
import { fromIterable } from '../../../src/connectors/from-iterable.ts';
import { jsonLinesFile } from '../../../src/connectors/json/json-lines-file.ts';
import { toJsonLinesFile } from '../../../src/connectors/json/to-json-lines-file.ts';
import { keptResult } from '../../../src/connectors/kept-result-source.ts';
import { parquetFile } from '../../../src/connectors/parquet/parquet-file.ts';
import { toKafka } from '../../../src/connectors/kafka/to-kafka.ts';
import { toPostgres } from '../../../src/connectors/postgres/to-postgres.ts';
import { toParquetFile } from '../../../src/connectors/parquet/to-parquet-file.ts';
import { fromAsyncIterable } from '../../../src/connectors/streams/from-async-iterable.ts';
import { toNodeWritable } from '../../../src/connectors/streams/node-stream.ts';
import { compareIdentities } from '../../../src/journal/identity/compare-identities.ts';
import type { JobComparison } from '../../../src/journal/identity/job-comparison.ts';
import type { Sink } from '../../../src/operators/sink.ts';
import type { Source } from '../../../src/operators/source.ts';
import type { JobPlan } from '../../../src/run/job-plan.ts';
import { jobIdentity } from '../../../src/run/identity/job-identity.ts';
import { seededRandom } from '../../../src/testing/seeded-random.ts';
import { deleteFiles } from '../../simulation/changing-file.ts';
import { drawJob } from '../../simulation/drawn/drawn-job.ts';
import { decodeBatch, encodeBatch } from '../../support/batch-frames.ts';

type Numbers = DataStream<number>;

/** `numbers → …`: the steps between a source and a sink. */
function jobOf(build: (numbers: Numbers, job: Job) => void, source: Source<number> = fromArray([1, 2])): Job {
  const job = Job.create('numbers');
  build(job.source('numbers', source), job);
  return job;
}

function compare(before: Job, now: Job): JobComparison {
  const stored: unknown = JSON.parse(JSON.stringify(jobIdentity(planJob(before))));
  return compareIdentities(stored as never, jobIdentity(planJob(now)));
}

/** What changed, by vertex or edge: `numbers: …`. */
function changesOf({ ids, vertices, edges }: JobComparison): string[] {
  return [
    ...vertices.flatMap((one, index) => ('reasons' in one ? [`${ids[index]}: ${one.reasons.join('; ')}`] : [])),
    ...edges.flatMap((one, index) => ('reasons' in one ? [`edge ${index}: ${one.reasons.join('; ')}`] : [])),
  ];
}

const same = (n: number) => n;
const skip = { onError: 'skip' } as const;
const lettersTo = (path: string) => ({ onError: { deadLetter: toJsonLinesFile(path) } });
const plus1 = (n: number) => n + 1;
const plus2 = (n: number) => n + 2;
const native = Math.abs;
const noText = 'has no source text, because it is native or bound: give it a version';
const ownSink: Sink<never> = {
  name: 'mine',
  guarantee: 'at-least-once',
  open: () => ({ write: () => {}, commit: () => {}, abort: () => {} }),
};
const sum = { create: () => 0, add: (total: number, n: number) => total + n, result: (total: number) => total };

describe('a change of a step', () => {
  const step = (build: (numbers: Numbers) => Numbers) =>
    jobOf((numbers) => build(numbers).sink('out', collect<number>()));
  it.each<[what: string, before: (n: Numbers) => Numbers, now: (n: Numbers) => Numbers, reason: string]>([
    ['map', (s) => s.map(plus1, { uid: 'fix' }), (s) => s.map(plus2, { uid: 'fix' }), 'the function of "fix" changed'],
    ['filter', (s) => s.filter((n) => n > 1), (s) => s.filter((n) => n > 2), 'the function of "filter-1" changed'],
    ['flatMap', (s) => s.flatMap((n) => [n]), (s) => s.flatMap((n) => [n, n]), 'the function of "flatMap-1" changed'],
    [
      'mapAsync',
      (s) => s.mapAsync(async (n) => n),
      (s) => s.mapAsync(async (n) => -n),
      'the function of "mapAsync-1" changed',
    ],
    [
      'another method',
      (s) => s.map(plus1, { uid: 'x' }),
      (s) => s.mapAsync(plus1, { uid: 'x' }),
      '"x" was map, is mapAsync',
    ],
    [
      'order',
      (s) => s.mapAsync(plus1, { ordered: false }),
      (s) => s.mapAsync(plus1),
      'ordered of "mapAsync-1" was false, is true',
    ],
    [
      'reduce',
      (s) => s.keyBy((n) => n).reduce((a, b) => a + b),
      (s) => s.keyBy((n) => n).reduce((a, b) => a * b),
      'the function of "reduce-1" changed',
    ],
    [
      'create',
      (s) => s.keyBy((n) => n).aggregate(sum),
      (s) => s.keyBy((n) => n).aggregate({ ...sum, create: () => 1 }),
      'create of "aggregate-1" changed',
    ],
    [
      'add',
      (s) => s.keyBy((n) => n).aggregate(sum),
      (s) => s.keyBy((n) => n).aggregate({ ...sum, add: (a, b) => a - b }),
      'add of "aggregate-1" changed',
    ],
    [
      'result',
      (s) => s.keyBy((n) => n).aggregate(sum),
      (s) => s.keyBy((n) => n).aggregate({ ...sum, result: (a) => -a }),
      'result of "aggregate-1" changed',
    ],
    [
      'merge',
      (s) => s.keyBy((n) => n).aggregate(sum),
      (s) => s.keyBy((n) => n).aggregate({ ...sum, merge: (a, b) => a + b }),
      'merge of "aggregate-1" is new',
    ],
    [
      'merge of reduce',
      (s) => s.keyBy((n) => n).reduce((a, b) => a + b),
      (s) => s.keyBy((n) => n).reduce((a, b) => a + b, { merge: true }),
      'merge of "reduce-1" is new',
    ],
    [
      'emit',
      (s) => s.keyBy((n) => n).aggregate(sum),
      (s) => s.keyBy((n) => n).aggregate(sum, { emit: 'updates' }),
      'emit of "aggregate-1" was "final", is "updates"',
    ],
    [
      'key',
      (s) => s.keyBy((n) => n).aggregate(sum),
      (s) => s.keyBy((n) => n % 2).aggregate(sum),
      'the key function of "aggregate-1" changed',
    ],
    [
      'onRecord',
      (s) => s.keyBy((n) => n).process({ onRecord: () => {} }),
      (s) => s.keyBy((n) => n).process({ onRecord: (n) => void n }),
      'onRecord of "process-1" changed',
    ],
    [
      'onEnd',
      (s) => s.keyBy((n) => n).process({ onRecord: () => {} }),
      (s) => s.keyBy((n) => n).process({ onRecord: () => {}, onEnd: () => {} }),
      'onEnd of "process-1" is new',
    ],
    [
      'inputs',
      (s) => s.map(plus1, { inputs: ['a'] }),
      (s) => s.map(plus1, { inputs: ['b'] }),
      'the inputs of "map-1" changed',
    ],
    [
      'a function in inputs',
      (s) => s.map(plus1, { inputs: [plus1] }),
      (s) => s.map(plus1, { inputs: [plus2] }),
      'the inputs of "map-1" changed',
    ],
    [
      'mapAsync behind keyBy',
      (s) => s.keyBy(same).mapAsync(plus1),
      (s) => s.keyBy(same).mapAsync(plus2),
      'the function of "mapAsync-1" changed',
    ],
    [
      'and with onError',
      (s) => s.keyBy(same).mapAsync(plus1, skip),
      (s) => s.keyBy(same).mapAsync(plus2, skip),
      'the function of "mapAsync-1" changed',
    ],
    ['map with onError', (s) => s.map(plus1, skip), (s) => s.map(plus2, skip), 'the function of "map-1" changed'],
    [
      'add with onError',
      (s) => s.keyBy(same).aggregate(sum, skip),
      (s) => s.keyBy(same).aggregate({ ...sum, add: (a, b) => a - b }, skip),
      'add of "aggregate-1" changed',
    ],
    ['onError', (s) => s.map(plus1), (s) => s.map(plus1, skip), 'onError of "map-1" was not given, is "skip"'],
    [
      'what answers instead',
      (s) => s.map(plus1, { onError: () => 1 }),
      (s) => s.map(plus1, { onError: () => 2 }),
      'onError of "map-1" changed',
    ],
    [
      'where dead letters go',
      (s) => s.map(plus1, lettersTo('/a')),
      (s) => s.map(plus1, lettersTo('/b')),
      'path of deadLetter of "map-1" was "/a", is "/b"',
    ],
    [
      'version',
      (s) => s.map(plus1, { version: 1 }),
      (s) => s.map(plus1, { version: 2 }),
      'the version of "map-1" was 1, is 2',
    ],
    [
      'version of the key',
      (s) => s.keyBy((n) => n, { version: 1 }).aggregate(sum),
      (s) => s.keyBy((n) => n, { version: 2 }).aggregate(sum),
      'the version of "aggregate-1" was 1, is 2',
    ],
    [
      'inputs of the key',
      (s) => s.keyBy((n) => n, { inputs: [1] }).aggregate(sum),
      (s) => s.keyBy((n) => n, { inputs: [2] }).aggregate(sum),
      'inputs of key of "aggregate-1" changed',
    ],
  ])('%s', (_, before, now, reason) => {
    expect(changesOf(compare(step(before), step(now)))).toEqual([`numbers: ${reason}`]);
    expect(changesOf(compare(step(before), step(before)))).toEqual([]);
    expect(changesOf(compare(step(now), step(now)))).toEqual([]);
  });

  it.each<[what: string, build: (n: Numbers) => Numbers, reason: string]>([
    ['a native function', (s) => s.map(native), `the function of "map-1" ${noText}`],
    ['a bound function', (s) => s.map(plus1.bind(undefined)), `the function of "map-1" ${noText}`],
    ['a proxy', (s) => s.map(new Proxy(plus1, {})), `the function of "map-1" ${noText}`],
    ['a native key', (s) => s.keyBy(native).aggregate(sum), `the key function of "aggregate-1" ${noText}`],
    [
      'RxJS',
      (s) => s.through(pairwise()).map(([a]) => a),
      'the function of "through-1" cannot be compared, because its source text does not tell one RxJS operator from another: give it a version',
    ],
    [
      'a sink of one’s own for dead letters',
      (s) => s.map(plus1, { onError: { deadLetter: ownSink as Sink<unknown> } }),
      'deadLetter of "map-1" cannot be compared with that of an earlier run: give the operator a version',
    ],
    [
      'inputs that are no data',
      (s) => s.map(plus1, { inputs: [1, native] }),
      'the inputs of "map-1" cannot be compared, because $[1] is a native or bound function',
    ],
  ])('%s is never the same', (_, build, reason) => {
    expect(changesOf(compare(step(build), step(build)))).toEqual([`numbers: ${reason}`]);
  });

  it.each<[what: string, before: (n: Numbers) => Numbers, now: (n: Numbers) => Numbers]>([
    [
      'another text under the same version',
      (s) => s.map(plus1, { version: 'a' }),
      (s) => s.map(native, { version: 'a' }),
    ],
    [
      'RxJS with a version',
      (s) => s.through(pairwise(), { version: 1 }).map(([a]) => a),
      (s) => s.through(pairwise(), { version: 1 }).map(([a]) => a),
    ],
    ['a default that is written down', (s) => s.mapAsync(plus1), (s) => s.mapAsync(plus1, { ordered: true })],
    [
      'options that say when calls are made',
      (s) => s.mapAsync(plus1),
      (s) =>
        s.mapAsync(plus1, {
          ...{ concurrency: 2, retries: 3, timeoutMs: 9, retryDelayMs: () => 1, retryIf: () => false },
          ...{ maxRetryAfterMs: 5, rateLimit: { calls: 1, perMs: 1 }, concurrencyPerKey: { key: (n) => n, limit: 1 } },
          remember: { sync: 'call' },
        }),
    ],
    ['a limit of errors', (s) => s.map(plus1, skip), (s) => s.map(plus1, { ...skip, maxErrors: 5 })],
    ['deterministic', (s) => s.map(plus1), (s) => s.map(plus1, { deterministic: true })],
    ['the key of a limit', (s) => s.keyBy((n) => n).mapAsync(plus1), (s) => s.keyBy((n) => -n).mapAsync(plus1)],
  ])('no change: %s', (_, before, now) => {
    expect(changesOf(compare(step(before), step(now)))).toEqual([]);
  });
});

//  numbers·paid ══▶ fix ──▶ out
describe('behind a paid result', () => {
  const paid = (rest: (paid: Numbers) => void, exchange = reliable()): Job =>
    jobOf((numbers) => rest(numbers.mapAsync(plus1, { uid: 'paid' }).rebalance({ exchange })));
  const fix = (fn: (n: number) => number, uid = 'fix', parallelism = 2) =>
    paid((result) => result.map(fn, { uid, parallelism }).sink('out', collect()));

  it('a fixed step keeps it', () => {
    const { vertices, edges } = compare(fix(plus1), fix(plus2));
    expect(vertices.map(({ kind }) => kind)).toEqual(['unchanged', 'changed']);
    expect(edges).toEqual([{ kind: 'same', before: 0 }]);
  });

  it('another step keeps it', () => {
    const { vertices, edges, removed } = compare(fix(plus1), fix(plus1, 'repaired'));
    expect(vertices).toEqual([
      { kind: 'unchanged', before: 0 },
      { kind: 'changed', before: undefined, reasons: ['"repaired" is new'] },
    ]);
    expect(edges).toEqual([{ kind: 'same', before: 0 }]);
    expect(removed).toEqual(['fix']);
  });

  it('another parallelism does not fit it', () => {
    expect(changesOf(compare(fix(plus1), fix(plus1, 'fix', 3)))).toEqual([
      'fix: the parallelism of "fix" was 2, is 3',
      'edge 0: its records are divided among 2 tasks, "fix" has 3',
    ]);
  });

  it.each<[parallelism: number, edges: readonly string[]]>([
    [2, ['edge 0: the key function of the partitioning after "numbers" changed']],
    [1, []],
  ])('another key at parallelism %i', (parallelism, reasons) => {
    const by = (key: (n: number) => number): Job =>
      jobOf((numbers) =>
        numbers
          .mapAsync(plus1, { uid: 'paid' })
          .keyBy(key, { exchange: 'reliable' })
          .mapAsync(plus1, { uid: 'fix', parallelism })
          .sink('out', collect()),
      );
    const changes = changesOf(compare(by(plus1), by(plus2)));
    expect(changes.filter((change) => change.startsWith('edge'))).toEqual(reasons);
  });

  it.each([
    ['sync', reliable({ sync: 'write' })],
    ['budgets', reliable({ diskBudgetBytes: 1e6 })],
    ['how long it is kept', reliable({ keepResults: 'until-job-ends' })],
  ])('no change: %s', (_, exchange) => {
    const of = (given = reliable()): Job =>
      paid((result) => result.map(plus1, { parallelism: 2 }).sink('out', collect()), given);
    expect(changesOf(compare(of(), of(exchange)))).toEqual([]);
  });

  it.each([
    ['another exchange', memory(), 'the exchange after "numbers" was reliable, is memory'],
    [
      'another place',
      reliable({ keepResults: { directory: '/kept' } }),
      'it was to be kept in the files of the run, now in "/kept"',
    ],
  ])('%s', (_, exchange, reason) => {
    const of = (given = reliable()): Job =>
      paid((result) => result.map(plus1, { parallelism: 2 }).sink('out', collect()), given);
    expect(changesOf(compare(of(), of(exchange)))).toEqual([`edge 0: ${reason}`]);
  });
});

describe('a source', () => {
  const of = (source: Source<unknown>, options: SourceOptions = {}): Job => {
    const job = Job.create('numbers');
    job.source('in', source, options).sink('out', collect());
    return job;
  };

  it.each<[what: string, before: Source<unknown>, now: Source<unknown>, reason: string]>([
    ['records', fromArray([1, { a: 1 }]), fromArray([1, { a: 2 }]), 'the records of "in" changed'],
    ['their number', fromArray([1]), fromArray([1, 2]), 'the records of "in" changed: there were 1, there are 2'],
    ['a range', range(0, 4), range(0, 5), 'end of "in" was 4, is 5'],
    [
      'paths',
      jsonLinesFile('a.jsonl'),
      jsonLinesFile(['a.jsonl', 'b.jsonl']),
      'path of "in" was ["a.jsonl"], is ["a.jsonl","b.jsonl"]',
    ],
    ['int64', jsonLinesFile('a'), jsonLinesFile('a', { int64: 'string' }), 'int64 of "in" was "number", is "string"'],
    [
      'parse',
      jsonLinesFile('a', { parse: Number }),
      jsonLinesFile('a', { parse: plus1 as never }),
      'parse of "in" could not be compared in the earlier run',
    ],
    [
      'the parser',
      csvFile('a', { parse: (row) => row }),
      csvFile('a', { parse: (row) => [row] }),
      'parse of "in" changed',
    ],
    [
      'the delimiter',
      csvFile('a', { delimiter: ',' }),
      csvFile('a', { delimiter: ';' }),
      'delimiter of "in" was ",", is ";"',
    ],
    [
      'the header',
      csvFile('a', { columns: ['a'] }),
      csvFile('a', { columns: ['a'], header: true }),
      'header of "in" was false, is true',
    ],
    ['columns', parquetFile('a'), parquetFile('a', { columns: ['b'] }), 'columns of "in" was not given, is ["b"]'],
    [
      'timestamps',
      parquetFile('a'),
      parquetFile('a', { timestamps: 'string' }),
      'timestamps of "in" was "floor", is "string"',
    ],
    [
      'onError',
      jsonLinesFile('a'),
      jsonLinesFile('a', { onError: 'skip' }),
      'onError of "in" was not given, is "skip"',
    ],
    ['a kept result', keptResult('/a'), keptResult('/b'), 'directory of "in" was "/a", is "/b"'],
    ['another format', csvFile('a'), jsonLinesFile('a'), '"in" was csvFile, is jsonLinesFile'],
  ])('%s', (_, before, now, reason) => {
    expect(changesOf(compare(of(before), of(now)))).toEqual([`in: ${reason}`]);
    expect(changesOf(compare(of(now), of(now)))).toEqual([]);
  });

  const noVersion = 'the records of "in" cannot be compared with those of an earlier run: give the source a version';
  it.each<[what: string, source: Source<unknown>, reason: string]>([
    ['iterable', fromIterable(new Set([1])), noVersion],
    ['generator', fromIterable(function* many() {}), noVersion],
    ['asynchronous iterable', fromAsyncIterable(async function* many() {}), noVersion],
    ['own source', { name: 'mine', maxParallelism: 1, open: () => ({ read: () => null, close: () => {} }) }, noVersion],
    [
      'array of no data',
      fromArray([1, new (class Point {})()]),
      'the records of "in" cannot be compared, because $[1] is an instance of Point: give the source a version',
    ],
  ])('%s: unknown, unless it has a version', (_, source, reason) => {
    expect(compare(of(source), of(source)).vertices).toEqual([
      { kind: 'unknown-source', before: 0, reasons: [reason] },
    ]);
    expect(changesOf(compare(of(source, { version: 1 }), of(source, { version: 1 })))).toEqual([]);
    expect(changesOf(compare(of(source, { version: 1 }), of(source, { version: 2 })))).toEqual([
      'in: the version of "in" was 1, is 2',
    ]);
  });

  it('takes its version instead of the records of an array, but not instead of paths', () => {
    expect(changesOf(compare(of(fromArray([1]), { version: 1 }), of(fromArray([2]), { version: 1 })))).toEqual([]);
    expect(changesOf(compare(of(csvFile('a'), { version: 1 }), of(csvFile('b'), { version: 1 })))).toEqual([
      'in: path of "in" was ["a"], is ["b"]',
    ]);
  });
});

describe('a sink', () => {
  const of = (sink: Sink<never>, version?: number): Job =>
    jobOf((numbers) => numbers.sink('out', sink as Sink<number>, { version }));

  it.each<[what: string, before: Sink<never>, now: Sink<never>, reason: string]>([
    ['path', toJsonLinesFile('/a'), toJsonLinesFile('/b'), 'path of "out" was "/a", is "/b"'],
    [
      'packing',
      toJsonLinesFile('/a'),
      toJsonLinesFile('/a', { compression: 'gzip' }),
      'compression of "out" was "none", is "gzip"',
    ],
    [
      'int64',
      toJsonLinesFile('/a'),
      toJsonLinesFile('/a', { int64: 'string' }),
      'int64 of "out" was not given, is "string"',
    ],
    [
      'header',
      toCsvFile('/a', { columns: ['a'] as never }),
      toCsvFile('/a', { columns: ['a'] as never, header: false }),
      'header of "out" was true, is false',
    ],
    [
      'columns',
      toCsvFile('/a', { columns: ['a', 'b'] as never }),
      toCsvFile('/a', { columns: ['b', 'a'] as never }),
      'columns of "out" was ["a","b"], is ["b","a"]',
    ],
    [
      'types',
      toParquetFile('/a', { columns: { a: 'int32' } as never }),
      toParquetFile('/a', { columns: { a: 'int64' } as never }),
      'columns of "out" was {"a":"int32"}, is {"a":"int64"}',
    ],
    [
      'parts',
      toJsonLinesFile('/a'),
      toJsonLinesFile('/a', { rollIntervalMs: 9 }),
      'rollIntervalMs of "out" was not given, is 9',
    ],
    [
      'table',
      toPostgres('a', { columns: ['a'] as never }),
      toPostgres('b', { columns: ['a'] as never }),
      'table of "out" was "a", is "b"',
    ],
    [
      'topic',
      toKafka({ brokers: 'a:1', topic: 'a', serialize: plus1 as never }),
      // Brokers may move.
      toKafka({ brokers: 'b:1', topic: 'b', serialize: plus1 as never }),
      'topic of "out" was "a", is "b"',
    ],
    ['groups', toParquetFile('/a'), toParquetFile('/a', { rowGroupSize: 9 }), 'rowGroupSize of "out" was 16384, is 9'],
    ['function', forEach(plus1 as never), forEach(plus2 as never), 'the function of "out" changed'],
    [
      'stream',
      toNodeWritable(() => process.stdout),
      toNodeWritable(() => process.stderr),
      'the function of "out" changed',
    ],
    [
      'chunks',
      toNodeWritable(() => process.stdout, { toChunk: (n) => [n] }),
      toNodeWritable(() => process.stdout, { toChunk: (n) => [n, n] }),
      'toChunk of "out" changed',
    ],
    ['another sink', collect(), forEach(plus1 as never), '"out" was collect, is forEach'],
  ])('%s', (_, before, now, reason) => {
    expect(changesOf(compare(of(before), of(now)))).toEqual([`numbers: ${reason}`]);
    expect(changesOf(compare(of(now), of(now)))).toEqual([]);
  });

  it('of one’s own: never the same, unless it has a version', () => {
    expect(changesOf(compare(of(ownSink), of(ownSink)))).toEqual([
      'numbers: the destination of "out" cannot be compared with those of an earlier run: give the sink a version',
    ]);
    expect(changesOf(compare(of(ownSink, 1), of(ownSink, 1)))).toEqual([]);
    expect(changesOf(compare(of(ownSink, 1), of({ ...ownSink, name: 'other' }, 1)))).toEqual([
      'numbers: "out" was mine, is other',
    ]);
  });

  it.each<[redo: Sink<never>['redo'], sinks: readonly Sink<never>[]]>([
    ['replaces', [toJsonLinesFile('/a'), toCsvFile('/a', { columns: ['a'] as never }), toParquetFile('/a')]],
    ['collects', [collect()]],
    ['repeats', [forEach(() => {}), toNodeWritable(() => process.stdout)]],
  ])('%s', (redo, sinks) => {
    expect(sinks.map((sink) => sink.redo)).toEqual(sinks.map(() => redo));
  });
});

describe('any job', () => {
  const jobs = Array.from({ length: 80 }, (_, seed) => drawJob(seed));
  afterAll(deleteFiles);

  it('has an identity of plain data, in which nothing is undefined', () => {
    for (const job of jobs) {
      const identity = jobIdentity(planJob(job));
      expect(JSON.parse(JSON.stringify(identity))).toEqual(identity);
      expect(decodeBatch(encodeBatch([identity]))).toEqual([identity]);
    }
  });

  it('compared with itself: nothing has changed but what never can be compared', () => {
    for (const job of jobs) {
      const { vertices, edges } = compare(job, job);
      const reasons = [...vertices, ...edges].flatMap((one) => ('reasons' in one ? one.reasons : []));
      expect(reasons.filter((reason) => !/cannot be compared|has no source text/.test(reason))).toEqual([]);
      expect(edges.map((_, before) => ({ kind: 'same', before }))).toEqual(edges);
    }
  });

  it('with one more input of one step: its vertex changes, and nothing else', () => {
    for (const [seed, job] of jobs.entries()) {
      const plan = planJob(job);
      const random = seededRandom(seed);
      const index = random.integer(0, plan.declarations.length - 1);
      const own = plan.declarations[index] as JobPlan['declarations'][number];
      const step = random.integer(0, own.length - 1);
      const changed = own.map((given, at) => (at === step ? { ...given, inputs: ['more'] } : given));
      const now = { ...plan, declarations: plan.declarations.with(index, changed) };
      const before = jobIdentity(plan);
      const [unchanged, comparison] = [before, jobIdentity(now)].map((identity) => compareIdentities(before, identity));
      expect(comparison?.edges).toEqual(unchanged?.edges);
      for (const [at, vertex] of (comparison as JobComparison).vertices.entries()) {
        if (at !== index) expect(vertex).toEqual(unchanged?.vertices[at]);
        else expect(vertex).toMatchObject({ kind: 'changed' });
      }
      expect(comparison?.vertices[index]).toMatchObject({
        reasons: expect.arrayContaining([`the inputs of "${plan.chains[index]?.[step]}" are new`]) as string[],
      });
    }
  });
});
