import { of } from 'rxjs';
import {
  collect,
  fixedDelay,
  fromArray,
  fromIterable,
  fromNodeStream,
  fromObservable,
  Job,
  type JobRunOptions,
  noRestart,
  range,
  type Sink,
  type Source,
} from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { Readable } from 'node:stream';
import { unhandledDuring } from '../operators/stage-driver.ts';
import { errorWithout, revokedProxy, thenable, trappingProxy } from '../support/rude-values.ts';

/** Runs a job on virtual time to its end, with its log. */
async function outcome(job: Job, options: JobRunOptions = {}): Promise<{ error: Error | undefined }> {
  const environment = virtualEnvironment();
  const run = job.run({ restartBackoff: noRestart(), environment, ...options });
  const unhandled: unknown[] = [];
  let error: Error | undefined;
  unhandled.push(
    ...(await unhandledDuring(async () => {
      error = await environment.drive(run.result).then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
    })),
  );
  expect(unhandled).toEqual([]);
  return { error };
}

describe('an error that throws when it is read', () => {
  const ring = new Error('ring');
  ring.cause = ring;
  const deep = (): Error => {
    let error = new Error('0');
    for (let depth = 0; depth < 10_000; depth++) error = new Error('deep', { cause: error });
    return error;
  };
  const odd: readonly [string, () => unknown][] = [
    ['a ring of causes', () => ring],
    ['a chain of 10 000 causes', deep],
    ['undefined', () => undefined],
    ['a symbol', () => Symbol('s')],
    ['no prototype', () => Object.create(null)],
    ['an error without own properties', () => Object.create(Error.prototype)],
    ['a message that throws', () => errorWithout('message')],
    ['a name that throws', () => errorWithout('name')],
    ['a stack that throws', () => errorWithout('stack')],
    ['a cause that throws', () => errorWithout('cause')],
    ['a code that throws', () => errorWithout('code')],
    ['a recovery that throws', () => errorWithout('recovery')],
    ['a toString that throws', () => errorWithout('toString')],
    ['a frozen error', () => Object.freeze(new Error('frozen'))],
    ['a revoked proxy', revokedProxy],
    ['a proxy that throws', trappingProxy],
    ['a revoked proxy as the cause', () => new Error('outer', { cause: revokedProxy() })],
    ['a promise that is rejected', () => Promise.reject(new Error('nobody listens'))],
    ['a message that is a symbol', () => Object.assign(new Error('x'), { message: Symbol('s') })],
  ];
  const throwing = (make: () => unknown) => (): never => {
    throw make();
  };
  const sinkThat = (over: object): Sink<unknown> => ({
    name: 'rude',
    guarantee: 'at-least-once',
    open: () => ({ write: () => {}, commit: () => {}, abort: () => {}, ...over }),
  });
  const sourceThat = (over: object): Source<unknown> => ({
    name: 'rude',
    maxParallelism: 1,
    open: () => ({ read: () => null, close: () => {}, ...over }),
  });
  const places: readonly [string, (job: Job, make: () => unknown) => void][] = [
    ['map', (job, make) => job.source('s', range(0, 2)).map(throwing(make)).sink('o', collect())],
    [
      'mapAsync',
      (job, make) =>
        job
          .source('s', range(0, 2))
          .mapAsync(async () => throwing(make)())
          .sink('o', collect()),
    ],
    ['read', (job, make) => job.source('s', sourceThat({ read: throwing(make) })).sink('o', collect())],
    [
      'a read that rejects',
      (job, make) => job.source('s', sourceThat({ read: () => thenable((_, no) => no(make())) })).sink('o', collect()),
    ],
    ['write', (job, make) => job.source('s', range(0, 2)).sink('o', sinkThat({ write: throwing(make) }))],
    ['commit', (job, make) => job.source('s', range(0, 2)).sink('o', sinkThat({ commit: throwing(make) }))],
  ];

  it.each(places.flatMap(([place, build]) => odd.map(([what, make]) => [what, place, build, make] as const)))(
    '%s, in %s: the job fails, and says so',
    async (_, __, build, make) => {
      const job = Job.create('odd');
      build(job, make);
      const { error } = await outcome(job);
      expect(error).toMatchObject({ code: 'JOB_FAILED' });
      expect(error?.message).not.toMatch(/internal error/);
    },
  );
});

describe('answers of sources and sinks', () => {
  it('a commit that returns a slow thenable loses nothing', async () => {
    const written: unknown[] = [];
    const stored: unknown[] = [];
    const environment = virtualEnvironment();
    const lazy: Sink<number> = {
      name: 'lazy',
      guarantee: 'at-least-once',
      open: () =>
        thenable((opened) =>
          opened({
            write: (records) =>
              thenable<void>((done) =>
                environment.clock.setTimeout(() => {
                  written.push(...records);
                  done();
                }, 5),
              ),
            commit: () =>
              thenable<void>((done) =>
                environment.clock.setTimeout(() => {
                  stored.push(...written);
                  done();
                }, 50),
              ),
            abort: () => {},
          }),
        ),
    };
    const job = Job.create('lazy');
    job.source('numbers', range(0, 40)).sink('lazy', lazy);
    await environment.drive(job.run({ environment }).result);
    expect(stored).toHaveLength(40);
  });

  const reading = (read: () => unknown): Source<unknown> =>
    ({ name: 'rude', maxParallelism: 1, open: () => ({ read, close: () => {} }) }) as unknown as Source<unknown>;
  const opening = (open: () => unknown) => ({ name: 'rude', maxParallelism: 1, guarantee: 'at-least-once', open });

  it.each<[string, Source<unknown>, string]>([
    [
      'read: a text',
      reading(() => 'abc'),
      'read of source "rude": expected an array of records, null at the end, or a promise of either, got "abc"',
    ],
    ['read: an object', reading(() => ({ records: [] })), 'got {"records":[]}'],
    ['read: nothing', reading(() => undefined), 'got undefined'],
    ['read: undefined later', reading(async () => undefined), 'got undefined'],
    ['read: a typed array', reading(() => new Uint8Array(2)), 'got {"0":0,"1":0}'],
    ['read: a revoked proxy', reading(revokedProxy), 'revoked'],
    [
      'records that are promises',
      reading(() => [Promise.reject(new Error('late'))]),
      'record of source "rude": expected a record',
    ],
    [
      'open: nothing',
      opening(() => undefined) as never,
      'open of source "rude": expected an object with the methods read, close, or a promise of one, got undefined',
    ],
    ['open: no close', opening(() => ({ read: () => null })) as never, 'methods read, close'],
    ['open: a revoked proxy', opening(async () => ({ read: revokedProxy() })) as never, 'methods read, close'],
  ])('refuses from a source %s', async (_, source, message) => {
    const job = Job.create('rude');
    job.source('s', source).sink('o', collect());
    const { error } = await outcome(job, { restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }) });
    expect(error?.message).toContain(message);
  });

  it.each<[string, unknown, string]>([
    ['a number', 5, 'at rude, record 0: 1'],
    ['a revoked proxy', revokedProxy(), 'at rude, record 0: 1'],
    ['a text', 'page 7', 'at page 7: 1'],
  ])('the place of a record is a text, not %s', async (_, place, message) => {
    const job = Job.create('rude');
    const placed = { read: () => [1], close: () => {}, locate: () => place };
    job
      .source('s', opening(() => placed) as never)
      .map(() => {
        throw new Error('no');
      })
      .sink('o', collect());
    expect((await outcome(job)).error?.message).toContain(message);
  });

  it.each<[string, () => unknown, string]>([
    [
      'nothing',
      () => undefined,
      'open of sink "rude": expected an object with the methods write, commit, abort, or a promise of one, got undefined',
    ],
    ['an array', () => [], 'got []'],
    ['no abort', async () => ({ write: () => {}, commit: () => {} }), 'methods write, commit, abort'],
  ])('refuses from the open of a sink %s', async (_, open, message) => {
    const job = Job.create('rude');
    job.source('s', range(0, 2)).sink('o', opening(open) as never);
    expect((await outcome(job)).error?.message).toContain(message);
  });
});

describe('a function that changes its record', () => {
  const rows = () => [{ n: 1 }, { n: 2 }];
  const own = (records: readonly { n: number }[]): Source<{ n: number }> => ({
    name: 'own',
    maxParallelism: 1,
    open: () => {
      let isRead = false;
      return { read: () => (isRead ? null : ((isRead = true), records)), close: () => {} };
    },
  });
  const sources: readonly [string, (records: readonly { n: number }[]) => Source<{ n: number }>][] = [
    ['fromArray', fromArray],
    ['fromIterable', (records) => fromIterable(() => new Set(records))],
    ['fromNodeStream', (records) => fromNodeStream(() => Readable.from(records))],
    [
      'fromObservable',
      (records) => fromObservable(() => of(...records), { buffer: { capacity: 9, overflow: 'error' } }),
    ],
    ['a source of your own', own],
  ];

  it.each(sources)('%s: is an error at its line in development', async (_, source) => {
    const job = Job.create('changes');
    job
      .source('s', source(rows()))
      .map((row) => {
        row.n *= 10;
        return row;
      })
      .sink('o', collect());
    const { error } = await outcome(job);
    expect(error?.cause).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/^Cannot assign to read only property 'n'/) as string,
      stack: expect.stringMatching(/rude-user-code\.test/) as string,
    });
  });

  it('is ignored in production', async () => {
    const kept = rows();
    const got = collect<{ n: number }>();
    const environment = virtualEnvironment({ freezeRecords: false });
    const job = Job.create('changes');
    job
      .source('s', fromArray(kept))
      .map((row) => Object.assign(row, { n: row.n * 10 }))
      .sink('o', got);
    await environment.drive(job.run({ environment }).result);
    expect([got.records, kept.some(Object.isFrozen)]).toEqual([[{ n: 10 }, { n: 20 }], false]);
  });
});

it('a map that returns promises fails its job at the first record, with the remedy', async () => {
  const got = collect();
  const job = Job.create('async');
  const lookUp = (n: number): Promise<number> => Promise.resolve(n);
  job
    .source('s', range(0, 10))
    .map(lookUp as (n: number) => unknown)
    .sink('o', got);
  const { error } = await outcome(job, { restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }) });
  expect(error?.message).toMatch(/use mapAsync/);
  expect(got.records).toEqual([]);
});

it('a trace names the vertex whose function failed', async () => {
  const job = Job.create('traced');
  const fail = (): never => {
    throw new Error('here');
  };
  job.source('per day: sum\n', range(0, 10)).map(fail).sink('o', collect());
  const { error } = await outcome(job);
  expect((error?.cause as Error | undefined)?.stack).toMatch(/ \(kintsugi:per_day__sum_:\d+:\d+\)/);
});
