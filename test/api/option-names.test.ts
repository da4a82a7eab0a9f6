import { of } from 'rxjs';
import * as kintsugi from '../../src/index.ts';

const { blocking, collect, exponentialDelay, failureRate, fixedDelay, fromArray, Job, memory, reliable } = kintsugi;

/** A call with a misspelt option that JavaScript would pass over; each gets `options` as it is. */
type Call = (options: never) => unknown;
const stream = () => Job.create('job').source('numbers', fromArray([1]));
const keyed = () => stream().keyBy((n) => n);

const sum = { create: () => 0, add: (total: number, n: number) => total + n, result: (total: number) => total };
const misspelt: readonly [string, Call, object, string][] = [
  [
    'job.run',
    (o) => runnable().run(o),
    { batchsize: 8 },
    'batchsize of run: expected an option that exists (did you mean `batchSize`?), got 8',
  ],
  ['Job.create', (o) => Job.create('job', o), { paralelism: 2 }, 'did you mean `parallelism`?'],
  [
    'source',
    (o) => Job.create('job').source('s', fromArray([1]), o),
    { determinstic: true },
    'did you mean `deterministic`?',
  ],
  ['map', (o) => stream().map((n) => n, o), { uuid: 'x' }, 'did you mean `uid`?'],
  ['filter', (o) => stream().filter(() => true, o), { exchang: 'memory' }, 'did you mean `exchange`?'],
  ['flatMap', (o) => stream().flatMap((n) => [n], o), { parallelisme: 1 }, 'did you mean `parallelism`?'],
  ['through', (o) => stream().through(() => of(1), o), { UID: 'x' }, 'did you mean `uid`?'],
  [
    'mapAsync',
    (o) => stream().mapAsync((n) => n, o),
    { concurency: 8, uid: 'embed' },
    'concurency of mapAsync "embed": expected an option that exists (did you mean `concurrency`?), got 8',
  ],
  ['keyBy', (o) => stream().keyBy((n) => n, o), { exchnage: 'memory' }, 'did you mean `exchange`?'],
  ['rebalance', (o) => stream().rebalance(o), { exchanges: 'memory' }, 'did you mean `exchange`?'],
  ['broadcast', (o) => stream().broadcast(o), { exchanges: 'memory' }, 'did you mean `exchange`?'],
  ['forward', (o) => stream().forward(o), { exchanges: 'memory' }, 'did you mean `exchange`?'],
  ['sink', (o) => stream().sink('s', collect(), o), { paralelism: 1 }, 'did you mean `parallelism`?'],
  ['reduce', (o) => keyed().reduce((a) => a, o), { emits: 'final' }, 'did you mean `emit`?'],
  ['aggregate', (o) => keyed().aggregate(sum, o), { emmit: 'final' }, 'did you mean `emit`?'],
  ['the functions of aggregate', (o) => keyed().aggregate(o), { ...sum, results: () => 1 }, 'did you mean `result`?'],
  ['process', (o) => keyed().process({ onRecord: () => {} }, o), { uidd: 'x' }, 'did you mean `uid`?'],
  [
    'the functions of process',
    (o) => keyed().process(o),
    { onRecord: () => {}, onEnds: () => {} },
    'did you mean `onEnd`?',
  ],
  ['memory', (o) => memory(o), { memoryBudget: 1 }, 'did you mean `memoryBudgetBytes`?'],
  ['reliable', (o) => reliable(o), { snyc: 'never' }, 'did you mean `sync`?'],
  ['blocking', (o) => blocking(o), { keepResult: 'until-job-ends' }, 'did you mean `keepResults`?'],
  ['exponentialDelay', (o) => exponentialDelay(o), { maxAttempt: 3 }, 'did you mean `maxAttempts`?'],
  ['fixedDelay', (o) => fixedDelay(o), { maxAttempts: 1, delay: 1 }, 'did you mean `delayMs`?'],
  [
    'failureRate',
    (o) => failureRate(o),
    { maxFailuresPerInterval: 1, intervalMs: 1, delaysMs: 1 },
    'did you mean `delayMs`?',
  ],
  [
    'fromObservable',
    (o) => kintsugi.fromObservable(() => of(1), o),
    { buffer: { capacity: 1, overflw: 'error' } },
    'did you mean `overflow`?',
  ],
  ['toNodeWritable', (o) => kintsugi.toNodeWritable(() => process.stdout, o), { ends: true }, 'did you mean `end`?'],
  ['toCsvFile', (o) => kintsugi.toCsvFile('x.csv', o), { columns: ['a'], headers: true }, 'did you mean `header`?'],
];

function runnable() {
  const job = Job.create('job');
  job.source('numbers', fromArray([1])).sink('s', collect());
  return job;
}

describe('a misspelt option is refused with the nearest name', () => {
  it.each(misspelt)('%s', (_, call, options, message) => {
    expect(() => call(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) as string }),
    );
  });

  it.each(misspelt)('%s: null and a text are no options', (_, call) => {
    for (const given of [null, 'text']) expect(() => call(given as never)).toThrow();
  });
});

describe('a value of another type is refused by name', () => {
  it.each<[string, object]>([
    ['decisionDeadlineMs', { decisionDeadlineMs: '5' }],
    ['slotRequestTimeoutMs', { slotRequestTimeoutMs: NaN }],
    ['memoryBudgetBytes', { memoryBudgetBytes: '5' }],
    ['diskBudgetBytes', { diskBudgetBytes: -1 }],
    ['slots', { slots: 1.5 }],
    ['executors', { executors: Infinity }],
    ['batchSize', { batchSize: '8' }],
    ['failureClassifiers', { failureClassifiers: () => undefined }],
    ['signal', { signal: new AbortController() }],
  ])('%s of a run', (name, options) => {
    expect(() => runnable().run(options as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(new RegExp(`^${name}: expected`)) as string,
      }),
    );
  });

  it.each<[string, () => unknown]>([
    ['fixedDelay maxAttempts', () => fixedDelay({ maxAttempts: '3' as never, delayMs: 1 })],
    ['fixedDelay delayMs', () => fixedDelay({ maxAttempts: 3, delayMs: '1' as never })],
    ['failureRate delayMs', () => failureRate({ maxFailuresPerInterval: 1, intervalMs: 1, delayMs: '1' as never })],
    ['exponentialDelay maxAttempts', () => exponentialDelay({ maxAttempts: '5' as never })],
  ])('%s', (name, make) => {
    expect(make).toThrow(
      expect.objectContaining({ message: expect.stringMatching(new RegExp(`^${name}: expected`)) as string }),
    );
  });
});
