import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import {
  collect,
  csvFile,
  fixedDelay,
  fromArray,
  fromIterable,
  InvalidArgumentError,
  Job,
  JobFailedError,
  jsonLinesFile,
  KintsugiError,
  parquetFile,
  range,
  type JobRunOptions,
  type RememberOptions,
  type Source,
  spillFaultPoints,
  toJsonLinesFile,
} from '../../src/index.ts';
import { faultPlan, virtualEnvironment } from '../../src/testing/index.ts';
import { tinyParquet } from '../connectors/tiny-parquet.ts';

/** A directory for one test. */
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bad-input-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const at = (name: string): string => join(directory, name);

/** A file of the test. */
function file(name: string, content: string | Buffer): string {
  writeFileSync(at(name), content);
  return at(name);
}

interface Ended {
  readonly error: unknown;
  readonly attempts: Readonly<Record<string, number>>;
  readonly tasks: Readonly<Record<string, number>>;
}

/** Runs a job to its end, and checks that it leaves nothing behind. */
async function runToEnd(job: Job, options: JobRunOptions = {}): Promise<Ended> {
  const environment = virtualEnvironment({ faults: faultPlan() });
  const run = job.run({
    restartBackoff: fixedDelay({ maxAttempts: 2, delayMs: 10 }),
    spillDirectory: at('spill'),
    environment,
    ...options,
  });
  const error = await environment.drive(
    run.result.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  const { tasks } = run.snapshot();
  expect([tasks.running, tasks.canceling, tasks.deploying, tasks.initializing]).toEqual([0, 0, 0, 0]);
  expect(environment.clock.timerCount).toBe(0);
  // Spilled results are gone, and so are unfinished part files.
  if (statSync(at('spill'), { throwIfNoEntry: false })?.isDirectory() === true)
    expect(readdirSync(at('spill'))).toEqual([]);
  expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  return { error, attempts: run.receipt().attemptsByVertex, tasks };
}

/** source ─▶ sink, in one task. */
function copying<Record>(source: Source<Record>): Job {
  const job = Job.create('copying');
  job.source('input', source).sink('copy', toJsonLinesFile(at('copy.jsonl')));
  return job;
}

//  numbers ══▶ by-digit        ══▶ complete batch: spilled where the budget is 0
function shuffling<Record>(recordOf: (n: number) => Record): Job {
  const job = Job.create('shuffling');
  job
    .source('numbers', range(0, 100))
    .map(recordOf)
    .rebalance({ exchange: 'blocking' })
    .map((record) => record, { uid: 'read' })
    .sink('out', collect());
  return job;
}

describe('malformed files', () => {
  it.each<readonly [string, () => Job, readonly (string | RegExp)[]]>([
    [
      'NDJSON: file, line and column',
      () => copying(jsonLinesFile(file('in.jsonl', '{"a":1}\n{"a":2}\n{"a":,}\n'))),
      [/in\.jsonl:3:6: not valid JSON/],
    ],
    [
      'CSV: file and line of a record that is too short',
      () => copying(csvFile(file('in.csv', 'a,b\n1,2\n3\n'))),
      [/in\.csv:3:2: expected 2 values, got 1/],
    ],
    ['CSV: an open quote', () => copying(csvFile(file('in.csv', 'a,b\n1,"2\n'))), [/in\.csv:2:3: an unclosed quote/]],
    [
      'Parquet: not a Parquet file',
      () => copying(parquetFile(file('in.parquet', 'a,b\n1,2\n3,4\n5,6\n'))),
      ['in.parquet'],
    ],
    [
      'Parquet: cut off',
      () => copying(parquetFile(file('in.parquet', tinyParquet([{ n: [1, 2, 3] }]).subarray(0, 40)))),
      ['in.parquet'],
    ],
    [
      'Parquet: a row group with other bytes in it, by its number',
      () => {
        const bytes = tinyParquet([{ word: ['gold', 'dust'] }, { word: ['lacquer', 'glue'] }]);
        bytes.fill(0xff, bytes.indexOf('lacquer') - 8, bytes.indexOf('lacquer') + 12);
        return copying(parquetFile(file('in.parquet', bytes)));
      },
      ['in.parquet', /row group (1|2)/],
    ],
  ])('%s; at once, because no restart cures it', async (_, jobOf, expected) => {
    const { error, attempts } = await runToEnd(jobOf());
    expect(error).toBeInstanceOf(JobFailedError);
    for (const part of expected) expect((error as Error).message).toMatch(part);
    expect(attempts).toEqual({ input: 1 });
    expect(existsSync(at('copy.jsonl'))).toBe(false);
  });
});

describe('files that go away', () => {
  it.each<readonly [string, (path: string) => Source<unknown>, string]>([
    ['NDJSON', (path) => jsonLinesFile(path), '{"n":1}\n'],
    ['CSV', (path) => csvFile(path), 'n\n1\n'],
  ])(
    '%s: named, at once; a classifier may ask for a restart, and the file is read if it is back',
    async (_, sourceOf, content) => {
      const gone = await runToEnd(copying(sourceOf(at('input'))));
      expect((gone.error as Error).message).toMatch(at('input'));
      expect(gone.attempts).toEqual({ input: 1 });
      expect(existsSync(at('copy.jsonl'))).toBe(false);

      const environment = virtualEnvironment();
      const back = copying(sourceOf(at('input'))).run({
        failureClassifiers: [() => ({ kind: 'recoverable' })],
        restartBackoff: fixedDelay({ maxAttempts: 2, delayMs: 10 }),
        environment,
      });
      await environment.runUntil(() => back.snapshot().restarting);
      file('input', content);
      await environment.drive(back.result);
      expect(readFileSync(at('copy.jsonl'), 'utf8')).toMatch(/^\{"n":"?1"?\}\n$/);
    },
  );

  it('that disappears between two attempts fails the job, and leaves no partial result', async () => {
    const path = file('in.jsonl', '{"n":1}\n{"n":2}\n');
    const job = Job.create('vanishing');
    job
      .source('input', jsonLinesFile(path))
      .map(() => {
        unlinkSync(path);
        throw new Error('broke');
      })
      .sink('copy', toJsonLinesFile(at('copy.jsonl')));
    const { error, attempts } = await runToEnd(job);
    expect((error as Error).message).toMatch(/in\.jsonl/);
    expect(attempts).toEqual({ input: 2 });
    expect(existsSync(at('copy.jsonl'))).toBe(false);
  });
});

describe('a disk that cannot be written', () => {
  it('a spill directory that is a file: named, with the remedy, after the restarts', async () => {
    file('spill', 'a file where a directory should be');
    const { error, attempts } = await runToEnd(
      shuffling((n) => ({ n })),
      { memoryBudgetBytes: 0 },
    );
    expect(error).toBeInstanceOf(JobFailedError);
    expect((error as Error).message).toMatch(/spill/);
    expect((error as Error).message).toMatch(/spillDirectory|memoryBudgetBytes/);
    expect(attempts).toEqual({ numbers: 3, read: 0 });
  });

  it('a full disk that has room again: nothing is lost', async () => {
    const environment = virtualEnvironment();
    environment.faults.fail(spillFaultPoints.append, {
      times: 2,
      error: Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }),
    });
    const job = Job.create('full');
    const out = collect<number>();
    job
      .source('numbers', range(0, 100))
      .rebalance({ exchange: 'blocking' })
      .map((n) => n, { uid: 'read' })
      .sink('out', out);
    const run = job.run({
      restartBackoff: fixedDelay({ maxAttempts: 5, delayMs: 10 }),
      spillDirectory: at('spill'),
      memoryBudgetBytes: 0,
      environment,
    });
    const { receipt } = await environment.drive(run.result);
    expect([...out.records].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(receipt.attemptsByVertex['numbers']).toBeGreaterThan(1);
    expect(receipt.attemptsByVertex['read']).toBe(1);
  });

  it('a sink whose directory is a file is named', async () => {
    file('out', 'a file');
    const job = Job.create('nowhere');
    job.source('numbers', range(0, 3)).sink('out', toJsonLinesFile(at('out/part.jsonl')));
    const { error } = await runToEnd(job);
    expect((error as Error).message).toMatch(/out/);
  });
});

describe('records that cannot be written to disk', () => {
  class Flight {
    readonly origin = 'OSL';
  }

  it.each<readonly [string, (n: number) => unknown, RegExp]>([
    ['an instance of a class', (n) => (n === 7 ? { flight: new Flight() } : { n }), /\$\.flight/],
    ['a function', (n) => ({ n, fn: () => n }), /\$\.fn/],
    ['a symbol deep inside', (n) => ({ list: [n, { tag: Symbol('n') }] }), /\$\.list\[1\]\.tag/],
  ])('%s: named by its path, without a restart', async (_, recordOf, path) => {
    for (const memoryBudgetBytes of [0, Number.POSITIVE_INFINITY]) {
      const { error, attempts } = await runToEnd(shuffling(recordOf), { memoryBudgetBytes });
      expect((error as Error).message).toMatch(path);
      expect(attempts).toEqual({ numbers: 1, read: 0 });
    }
  });
});

describe('user functions', () => {
  it.each<readonly [string, unknown, RegExp]>([
    ['a text', 'no luck', /no luck/],
    ['undefined', undefined, /undefined/],
    ['null', null, /null/],
    ['a number', 42, /42/],
    ['a frozen object', Object.freeze({ code: 7 }), /7/],
    ['an error of another realm', runInNewContext("new Error('from elsewhere')"), /from elsewhere/],
  ])('that throw %s fail their task, which restarts', async (_, thrown, message) => {
    const job = Job.create('throwing');
    job
      .source('numbers', range(0, 3))
      .map((): number => {
        throw thrown;
      })
      .sink('out', collect());
    const { error, attempts } = await runToEnd(job);
    expect(error).toBeInstanceOf(JobFailedError);
    expect((error as Error).message).toMatch(message);
    expect(((error as JobFailedError).cause as Error).message).toMatch(message);
    expect(attempts).toEqual({ numbers: 3 });
  });

  it.each(['after its timeout', 'after its task failed', 'after the job was canceled'] as const)(
    'a call of mapAsync that rejects %s causes no unhandled rejection',
    async (when) => {
      const unhandled: unknown[] = [];
      const note = (reason: unknown): void => void unhandled.push(reason);
      process.on('unhandledRejection', note);
      const environment = virtualEnvironment();
      const late: (() => void)[] = [];
      const job = Job.create('late');
      let calls = 0;
      job
        .source('numbers', range(0, 4))
        .mapAsync(
          (n) => {
            if (when === 'after its task failed' && n === 3 && calls++ === 0) throw new Error('broke');
            if (calls++ > 8) return n;
            return new Promise<number>((_resolve, reject) => late.push(() => reject(new Error('too late'))));
          },
          { concurrency: 4, ...(when === 'after its timeout' ? { timeoutMs: 50, retries: 1 } : {}) },
        )
        .sink('out', collect());
      const run = job.run({ restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 10 }), environment });
      const ended = run.result.catch((error: unknown) => error);
      await environment.runUntil(() => late.length >= 3);
      if (when === 'after the job was canceled') await environment.drive(run.cancel());
      else environment.advance(1_000);
      for (const reject of late) reject();
      await environment.settle();
      if (run.status === 'running') await environment.drive(run.cancel());
      await environment.drive(ended);
      process.off('unhandledRejection', note);
      expect(unhandled).toEqual([]);
      expect(['canceled', 'finished', 'failed']).toContain(run.status);
    },
  );
});

describe('an endless source', () => {
  function* countUp(): Generator<number> {
    for (let n = 0; ; n++) yield n;
  }

  it.each<readonly [string, () => Source<number>]>([
    ['an iterable', () => fromIterable(countUp)],
    [
      'a source that never answers',
      () => ({
        name: 'silence',
        maxParallelism: 1,
        open: () => ({ read: () => new Promise<number[]>(() => {}), close() {} }),
      }),
    ],
  ])('%s: ends when it is canceled', async (_, source) => {
    const environment = virtualEnvironment();
    const job = Job.create('endless');
    job
      .source('numbers', source())
      .filter(() => false)
      .sink('out', toJsonLinesFile(at('out.jsonl')));
    const run = job.run({ environment });
    await environment.runUntil(() => run.snapshot().tasks.running === 1);
    await environment.drive(run.cancel());
    expect(run.status).toBe('canceled');
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('options out of range', () => {
  const remembering = (remember: RememberOptions<number>) =>
    Job.create('job')
      .source('numbers', fromArray([1]))
      .mapAsync((n) => n, { uid: 'call', remember });
  const job = (): Job => {
    const built = Job.create('options');
    built.source('numbers', fromArray([1])).sink('out', collect());
    return built;
  };

  it.each<readonly [keyof JobRunOptions, unknown]>([
    ['batchSize', 0],
    ['batchSize', 1.5],
    ['batchSize', 2 ** 21],
    ['batchSize', '16'],
    ['slots', 0],
    ['slots', Number.NaN],
    ['executors', 0],
    ['executors', Number.POSITIVE_INFINITY],
    ['slotRequestTimeoutMs', 0],
    ['slotRequestTimeoutMs', 2 ** 31],
    ['cancellationTimeoutMs', -1],
    ['decisionDeadlineMs', Number.NaN],
    ['memoryBudgetBytes', -1],
    ['memoryBudgetBytes', Number.NaN],
    ['exceptionHistorySize', 0],
    ['backoffScope', 'task'],
    ['quarantine', { afterFailures: 0, withinMs: 1_000 }],
    ['quarantine', { afterFailures: 3, withinMs: 0 }],
    ['quarantine', { afterFailures: 3 }],
    ['quarantine', { afterFailures: 3, withinMs: 1_000, perMs: 1 }],
    ['heartbeat', { intervalMs: 0 }],
    ['heartbeat', { intervalMs: 2 ** 30 }],
    ['heartbeat', { intervalMs: 100, timeoutMs: 199 }],
    ['heartbeat', { timeoutMs: 2 ** 31 }],
    ['heartbeat', { failedSends: 0 }],
    ['heartbeat', { interval: 100 }],
    ['failoverStrategy', {}],
    ['restartBackoff', {}],
    ['failureClassifiers', ['recoverable']],
  ])('%s: %p is refused by name before anything runs', (option, value) => {
    expect(() => job().run({ [option]: value } as JobRunOptions)).toThrow(InvalidArgumentError);
    expect(() => job().run({ [option]: value } as JobRunOptions)).toThrow(option);
  });

  it.each<readonly [string, () => unknown]>([
    ['parallelism', () => Job.create('job', { parallelism: 0 })],
    ['mode', () => Job.create('job', { mode: 'fast' as never })],
    ['name', () => Job.create('')],
    ['path', () => jsonLinesFile('')],
    ['int64', () => parquetFile('a.parquet', { int64: 'float' as never })],
    ['maxAttempts', () => fixedDelay({ maxAttempts: -1, delayMs: 0 })],
    ['remember.sync of "call"', () => remembering({ sync: 'write' as never })],
    ['remember.maxBytes of "call"', () => remembering({ maxBytes: 0 })],
    ['remember.ttlMs of "call"', () => remembering({ ttlMs: Number.NaN })],
    ['remember.directory of "call"', () => remembering({ directory: '' })],
  ])('%s is refused where it is written', (option, build) => {
    let error: unknown;
    try {
      build();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(KintsugiError);
    expect((error as Error).message).toMatch(option);
  });
});
