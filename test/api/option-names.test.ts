import { of } from 'rxjs';
import * as kintsugi from '../../src/index.ts';
import { faultPlan, simulate, virtualEnvironment } from '../../src/testing/index.ts';
import { revokedProxy } from '../support/rude-values.ts';

const { blocking, collect, exponentialDelay, failureRate, fixedDelay, fromArray, Job, memory, reliable } = kintsugi;

/** Calls with a misspelled option that JavaScript would ignore; each passes `options` on unchanged. */
type Call = (options: never) => unknown;
const stream = () => Job.create('job').source('numbers', fromArray([1]));
const keyed = () => stream().keyBy((n) => n);

const sum = { create: () => 0, add: (total: number, n: number) => total + n, result: (total: number) => total };
const kafka = { brokers: 'a:1' };
const toTopic = { ...kafka, topic: 'a', serialize: () => ({ value: '' }) };
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
  ['version', (o) => stream().map((n) => n, o), { versoin: 1 }, 'did you mean `version`?'],
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
  ['valueState', (o) => kintsugi.valueState(o), { ttl: 5 }, 'did you mean `ttlMs`?'],
  ['listState', (o) => kintsugi.listState(o), { versoin: 2 }, 'did you mean `version`?'],
  ['mapState', (o) => kintsugi.mapState(o), { serialiser: {} }, 'did you mean `serializer`?'],
  ['reducingState', (o) => kintsugi.reducingState((a: number) => a, o), { migrat: 1 }, 'did you mean `migrate`?'],
  ['aggregatingState', (o) => kintsugi.aggregatingState(sum, o), { shema: 1 }, 'did you mean `schema`?'],
  ['unionListState', (o) => kintsugi.unionListState(o), { versoin: 2 }, 'did you mean `version`?'],
  ['broadcastState', (o) => kintsugi.broadcastState(o), { versoin: 2 }, 'did you mean `version`?'],
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
  [
    'fromObservable, beside its buffer',
    (o) => kintsugi.fromObservable(() => of(1), o),
    { buffer: { capacity: 1, overflow: 'error' }, replayble: true },
    'did you mean `replayable`?',
  ],
  ['toNodeWritable', (o) => kintsugi.toNodeWritable(() => process.stdout, o), { ends: true }, 'did you mean `end`?'],
  [
    'toWebWritable',
    (o) => kintsugi.toWebWritable(() => new WritableStream(), o),
    { toChunks: () => 1 },
    'did you mean `toChunk`?',
  ],
  ['explain', (o) => kintsugi.explain(runnable(), o), { failoverRules: () => {} }, 'did you mean `failoverRule`?'],
  [
    'keyed mapAsync',
    (o) => keyed().mapAsync((n) => n, o),
    { concurrencyPerKeys: 1 },
    'did you mean `concurrencyPerKey`?',
  ],
  [
    'calls of rateLimit',
    (rateLimit) => stream().mapAsync((n) => n, { rateLimit, uid: 'paid' }),
    { calls: 1, perMs: 1, costs: () => 1 },
    'costs of rateLimit of "paid": expected one of its options: calls, perMs',
  ],
  [
    'tokens of rateLimit, in a list',
    (limit) => stream().mapAsync((n) => n, { rateLimit: [{ calls: 1, perMs: 1 }, limit] }),
    { tokens: 1, perMs: 1, cost: () => 1, perMS: 5 },
    'did you mean `perMs`?',
  ],
  [
    'concurrencyPerKey',
    (concurrencyPerKey) => stream().mapAsync((n) => n, { concurrencyPerKey }),
    { key: () => 1, limit: 1, limits: 1 },
    'did you mean `limit`?',
  ],
  [
    'keepResults of an exchange',
    (keepResults) => blocking({ keepResults }),
    { directory: 'kept', directry: 'kept' },
    'directry of keepResults of blocking: expected an option that exists (did you mean `directory`?)',
  ],
  [
    'keepResults of a run',
    (keepResults) => runnable().run({ keepResults }),
    { ttlMs: 1, ttl: 1 },
    'ttl of keepResults: expected an option that exists (did you mean `ttlMs`?)',
  ],
  ['systemEnvironment', (o) => kintsugi.systemEnvironment(o), { logger: console, log: console }, 'log of systemEnv'],
  ['virtualEnvironment', (o) => virtualEnvironment(o), { sed: 1 }, 'did you mean `seed`?'],
  ['fail of a fault plan', (o) => faultPlan().fail('here', o), { time: 1 }, 'did you mean `times`?'],
  ['call of a fault plan', (o) => faultPlan().call('here', () => {}, o), { skips: 1 }, 'did you mean `skip`?'],
  ['jsonLinesFile', (o) => kintsugi.jsonLinesFile('a.jsonl', o), { int46: 'string' }, 'did you mean `int64`?'],
  ['jsonLines', (o) => kintsugi.jsonLines(o), { decimal: 'string' }, 'did you mean `decimals`?'],
  ['toJsonLinesFile', (o) => kintsugi.toJsonLinesFile('a.jsonl', o), { compresion: 'gzip' }, 'mean `compression`?'],
  ['csvFile', (o) => kintsugi.csvFile('a.csv', o), { newlineInValues: false }, 'did you mean `newlinesInValues`?'],
  ['csvRows', (o) => kintsugi.csvRows(o), { delimeter: ';' }, 'did you mean `delimiter`?'],
  ['parquetFile', (o) => kintsugi.parquetFile('a.parquet', o), { timestamp: 'date' }, 'did you mean `timestamps`?'],
  ['toParquetFile', (o) => kintsugi.toParquetFile('a.parquet', o), { column: {} }, 'did you mean `columns`?'],
  ['toPostgres', (o) => kintsugi.toPostgres('a', o), { columns: ['a'], ouput: 'b' }, 'did you mean `output`?'],
  ['fromKafka', (o) => kintsugi.fromKafka(o), { ...kafka, topics: 'a', form: 'latest' }, 'did you mean `from`?'],
  ['toKafka', (o) => kintsugi.toKafka(o), { ...toTopic, retryMS: 1 }, 'did you mean `retryMs`?'],
  ['fromNodeStream', (o) => kintsugi.fromNodeStream(() => process.stdin, o), { decoder: {} }, 'did you mean `decode`?'],
  ['fromWebStream', (o) => kintsugi.fromWebStream(() => new ReadableStream(), o), { decoder: {} }, 'mean `decode`?'],
  ['fromAsyncIterable', (o) => kintsugi.fromAsyncIterable(nothing, o), { decoder: {} }, 'did you mean `decode`?'],
  ['toCsvFile', (o) => kintsugi.toCsvFile('x.csv', o), { columns: ['a'], headers: true }, 'did you mean `header`?'],
];

async function* nothing(): AsyncGenerator<never> {}

function runnable() {
  const job = Job.create('job');
  job.source('numbers', fromArray([1])).sink('s', collect());
  return job;
}

describe('a misspelled option is refused with the nearest name', () => {
  it.each(misspelt)('%s', (_, call, options, message) => {
    expect(() => call(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) as string }),
    );
  });

  it.each(misspelt)('%s: options that are not an object', (_, call) => {
    for (const given of [null, 'text', 5, Symbol('five'), [1]]) {
      expect(() => call(given as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    }
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
    ['spillDirectory', { spillDirectory: 5 }],
    ['spillDirectory', { spillDirectory: '' }],
    ['inspect', { inspect: {} }],
    ['environment', { environment: {} }],
    ['environment', { environment: { ...kintsugi.systemEnvironment(), clock: { now: () => 0 } } }],
    ['exceptionHistorySize', { exceptionHistorySize: 0 }],
    ['memoryOverflow', { memoryOverflow: true }],
    ['restartBackoff', { restartBackoff: 5 }],
    ['restartBackoff', { restartBackoff: 'fixed-delay' }],
    ['restartBackoff', { restartBackoff: revokedProxy() }],
    ['failoverStrategy', { failoverStrategy: 'all' }],
    ['failoverStrategy', { failoverStrategy: revokedProxy() }],
  ])('%s of a run', (name, options) => {
    expect(() => runnable().run(options as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(new RegExp(`^${name}: expected`)) as string,
      }),
    );
  });

  it.each<[string, () => unknown]>([
    ['uid of a mapAsync', () => stream().mapAsync((n) => n, { uid: Symbol('five') } as never)],
    ['fixedDelay maxAttempts', () => fixedDelay({ maxAttempts: '3' as never, delayMs: 1 })],
    ['fixedDelay delayMs', () => fixedDelay({ maxAttempts: 3, delayMs: '1' as never })],
    ['failureRate delayMs', () => failureRate({ maxFailuresPerInterval: 1, intervalMs: 1, delayMs: '1' as never })],
    ['exponentialDelay maxAttempts', () => exponentialDelay({ maxAttempts: '5' as never })],
    ['failoverRule', () => kintsugi.explain(runnable(), { failoverRule: {} as never })],
    ['header', () => kintsugi.csvFile('a.csv', { header: 'yes' as never })],
    ['header', () => kintsugi.toCsvFile('a.csv', { columns: ['a'], header: 1 } as never)],
    ['newlinesInValues', () => kintsugi.csvFile('a.csv', { newlinesInValues: 'no' as never })],
    ['parse', () => kintsugi.csvFile('a.csv', { parse: {} as never })],
    ['parse', () => kintsugi.jsonLinesFile('a.jsonl', { parse: true as never })],
    ['parse', () => kintsugi.parquetFile('a.parquet', { parse: 'row' as never })],
    ['columns', () => kintsugi.parquetFile('a.parquet', { columns: 'id' as never })],
    ['columns', () => kintsugi.toParquetFile('a.parquet', { columns: ['id'] } as never)],
    ['compression', () => kintsugi.toJsonLinesFile('a.jsonl', { compression: true as never })],
    ['rollBytes', () => kintsugi.toParquetFile('a.parquet', { rollBytes: 0 })],
    ['brokers of fromKafka', () => kintsugi.fromKafka({ brokers: [], topics: 'a' })],
    ['topics of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: ['a', 'a'] })],
    ['from of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', from: 17 as never })],
    ['from of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', from: new Date(Number.NaN) })],
    ['until of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', until: 'earliest' as never })],
    ['discoverMs of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', discoverMs: 0 })],
    ['fetchBytes of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', fetchBytes: 0 })],
    ['deserialize of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', deserialize: 'json' as never })],
    ['client.groupId of fromKafka', () => kintsugi.fromKafka({ ...kafka, topics: 'a', client: { groupId: 'g' } })],
    ['retryMs of toKafka', () => kintsugi.toKafka({ ...toTopic, retryMs: -1 })],
    ['topic of toKafka', () => kintsugi.toKafka({ ...toTopic, topic: '' })],
    ['serialize of toKafka', () => kintsugi.toKafka({ ...toTopic, serialize: undefined as never })],
    ['compression of toKafka', () => kintsugi.toKafka({ ...toTopic, compression: 'brotli' as never })],
    ['rollIntervalMs', () => kintsugi.toCsvFile('a.csv', { columns: ['a'], rollIntervalMs: -1 } as never)],
    ['end of toNodeWritable', () => kintsugi.toNodeWritable(() => process.stdout, { end: 'no' as never })],
    ['toNodeWritable', () => kintsugi.toNodeWritable(process.stdout as never)],
    ['toChunk of toNodeWritable', () => kintsugi.toNodeWritable(() => process.stdout, { toChunk: 'line' as never })],
    ['toChunk of toWebWritable', () => kintsugi.toWebWritable(() => new WritableStream(), { toChunk: 1 as never })],
    ['toWebWritable', () => kintsugi.toWebWritable(new WritableStream() as never)],
    ['fromNodeStream', () => kintsugi.fromNodeStream(process.stdin as never)],
    ['fromWebStream', () => kintsugi.fromWebStream(new ReadableStream() as never)],
    ['fromObservable', () => kintsugi.fromObservable(of(1) as never, { buffer: { capacity: 1, overflow: 'error' } })],
    // A decoder that was not called.
    [
      'decode of fromNodeStream',
      () => kintsugi.fromNodeStream(() => process.stdin, { decode: kintsugi.jsonLines } as never),
    ],
    ['decode of fromAsyncIterable', () => kintsugi.fromAsyncIterable(nothing, { decode: {} } as never)],
    ['version of "fix"', () => stream().map((n) => n, { uid: 'fix', version: '' })],
    ['version of "fix"', () => stream().mapAsync((n) => n, { uid: 'fix', version: NaN })],
    ['version of "s"', () => Job.create('job').source('s', fromArray([1]), { version: true as never })],
    ['version of "s"', () => stream().sink('s', collect(), { version: {} as never })],
    ['version of keyBy', () => stream().keyBy((n) => n, { version: Infinity })],
    ['inputs of keyBy', () => stream().keyBy((n) => n, { inputs: 'prompt' as never })],
    ['inputs of "sum"', () => keyed().aggregate(sum, { uid: 'sum', inputs: new Set() as never })],
    ['order', () => virtualEnvironment({ order: 'random' as never })],
    ['seed', () => virtualEnvironment({ seed: '1' as never })],
    ['times of "here"', () => faultPlan().fail('here', { times: 0 })],
    ['skip of "here"', () => faultPlan().fail('here', { skip: NaN })],
  ])('%s', (name, make) => {
    expect(make).toThrow(
      expect.objectContaining({ message: expect.stringMatching(new RegExp(`^${name}: expected`)) as string }),
    );
  });
});

it.each<[string, object, RegExp]>([
  ['a misspelt option', { seed: 1, maxFault: 1 }, /^maxFault of simulate: .*did you mean `maxFaults`/],
  ['one of the run', { seed: 1, options: { batchsize: 1 } }, /^batchsize of the options of simulate: .*`batchSize`/],
  ['no number', { seed: 1, maxFaults: '3' }, /^maxFaults: expected an integer/],
  ['no seed', {}, /^seed: expected a safe integer/],
])('a simulation refuses %s', async (_, options, message) => {
  await expect(simulate(runnable(), options as never)).rejects.toThrow(message);
});

/** Each call with all of its optional options `undefined`. */
const undefinedOptions: readonly [string, Call, readonly string[], object?][] = [
  [
    'job.run',
    (o) => runnable().run(o).cancel(),
    [
      ...['failoverStrategy', 'restartBackoff', 'backoffScope', 'failureClassifiers', 'failureEnrichers', 'slots'],
      ...['quarantine', 'heartbeat', 'speculation'],
      ...[
        'decisionDeadlineMs',
        'executors',
        'slotRequestTimeoutMs',
        'cancellationTimeoutMs',
        'batchSize',
        'batchBytes',
      ],
      ...['memoryBudgetBytes', 'memoryOverflow', 'keepResults', 'diskBudgetBytes', 'diskOverflow', 'diskWaitTimeoutMs'],
      ...['spillDirectory', 'exceptionHistorySize', 'signal', 'inspect', 'environment'],
    ],
  ],
  ['Job.create', (o) => Job.create('job', o), ['mode', 'parallelism', 'deterministic']],
  [
    'source',
    (o) => Job.create('job').source('s', fromArray([1]), o),
    ['parallelism', 'deterministic', 'replayable', 'version', 'inputs'],
  ],
  ['map', (o) => stream().map((n) => n, o), ['uid', 'parallelism', 'deterministic', 'exchange', 'version', 'inputs']],
  ['keyBy', (o) => stream().keyBy((n) => n, o), ['exchange', 'version', 'inputs']],
  [
    'mapAsync',
    (o) => stream().mapAsync((n) => n, o),
    [
      'concurrency',
      'ordered',
      'timeoutMs',
      'retries',
      'retryDelayMs',
      'retryIf',
      'maxRetryAfterMs',
      'rateLimit',
      'concurrencyPerKey',
      'uid',
    ],
  ],
  ['keyed mapAsync', (o) => keyed().mapAsync((n) => n, o), ['concurrencyPerKey', 'concurrency', 'rateLimit']],
  ['reduce', (o) => keyed().reduce((a) => a, o), ['uid', 'emit', 'parallelism', 'exchange', 'deterministic']],
  ['process', (o) => keyed().process(o), ['onEnd'], { onRecord: () => {} }],
  ['sink', (o) => stream().sink('s', collect(), o), ['parallelism', 'exchange', 'version', 'inputs']],
  ['explain', (o) => kintsugi.explain(runnable(), o), ['failoverRule']],
  [
    'exponentialDelay',
    (o) => exponentialDelay(o),
    ['initialDelayMs', 'maxDelayMs', 'multiplier', 'resetThresholdMs', 'jitterFactor', 'maxAttempts'],
  ],
  ['csvFile', (o) => kintsugi.csvFile('a', o), ['header', 'columns', 'delimiter', 'newlinesInValues', 'parse']],
  ['csvRows', (o) => kintsugi.csvRows(o), ['header', 'columns', 'delimiter', 'parse']],
  ['jsonLinesFile', (o) => kintsugi.jsonLinesFile('a', o), ['parse', 'int64', 'decimals']],
  ['jsonLines', (o) => kintsugi.jsonLines(o), ['parse', 'int64', 'decimals']],
  [
    'parquetFile',
    (o) => kintsugi.parquetFile('a', o),
    ['columns', 'parse', 'int64', 'decimals', 'timestamps', 'binary', 'maps'],
  ],
  ['toJsonLinesFile', (o) => kintsugi.toJsonLinesFile('a', o), ['int64', 'compression', 'rollBytes', 'rollIntervalMs']],
  [
    'toCsvFile',
    (o) => kintsugi.toCsvFile('a', o),
    ['header', 'delimiter', 'compression', 'rollBytes', 'rollIntervalMs'],
    { columns: ['a'] },
  ],
  [
    's3Checkpoints',
    (o) => kintsugi.s3Checkpoints(o),
    ['prefix', 'region', 'endpoint', 'credentials', 'requestTimeoutMs'],
    { bucket: 'a' },
  ],
  ['toPostgres', (o) => kintsugi.toPostgres('a', o), ['connection', 'output', 'transactionColumn'], { columns: ['a'] }],
  [
    'fromKafka',
    (o) => kintsugi.fromKafka(o),
    ['deserialize', 'from', 'until', 'discoverMs', 'fetchBytes', 'client', 'retryMs'],
    { ...kafka, topics: 'a' },
  ],
  ['toKafka', (o) => kintsugi.toKafka(o), ['compression', 'client', 'retryMs'], toTopic],
  ['toParquetFile', (o) => kintsugi.toParquetFile('a', o), ['columns', 'rowGroupSize', 'compression', 'rollBytes']],
  ['fromNodeStream', (o) => kintsugi.fromNodeStream(() => process.stdin, o), ['decode']],
  ['fromWebStream', (o) => kintsugi.fromWebStream(() => new ReadableStream(), o), ['decode']],
  ['fromAsyncIterable', (o) => kintsugi.fromAsyncIterable(nothing, o), ['decode']],
  [
    'fromObservable',
    (o) => kintsugi.fromObservable(() => of(1), o),
    ['replayable'],
    { buffer: { capacity: 1, overflow: 'error' } },
  ],
  ['toNodeWritable', (o) => kintsugi.toNodeWritable(() => process.stdout, o), ['end', 'toChunk']],
  ['toWebWritable', (o) => kintsugi.toWebWritable(() => new WritableStream(), o), ['toChunk']],
  [
    'virtualEnvironment',
    (o) => virtualEnvironment(o),
    ['seed', 'startMs', 'order', 'logger', 'faults', 'freezeRecords'],
  ],
  ['fail of a fault plan', (o) => faultPlan().fail('here', o), ['when', 'skip', 'times', 'error']],
];

describe('an option that is undefined is absent', () => {
  it.each(undefinedOptions)('%s', (_, call, names, required = {}) => {
    const options = { ...required, ...Object.fromEntries(names.map((name) => [name, undefined])) };
    expect(() => call(options as never)).not.toThrow();
  });

  it.each(undefinedOptions)('but null is refused: %s', (_, call, names, required = {}) => {
    for (const name of names) {
      expect(() => call({ ...required, [name]: null } as never)).toThrow(
        new RegExp(`^${name} of .*: expected a value, or undefined for the default, got null`),
      );
    }
  });

  it('also if options are merged over others', () => {
    const names = { memoryBudgetBytes: undefined, diskBudgetBytes: undefined, keepResults: undefined };
    expect(Object.keys(blocking(names))).toEqual(['name']);
    const { hold: _, ...parts } = kintsugi.systemEnvironment({
      clock: undefined,
      random: undefined,
      logger: undefined,
    });
    expect(Object.values(parts)).not.toContain(undefined);
  });
});
