import { config, endWith, finalize, ignoreElements, map, merge, NEVER, Observable, of, pipe, take } from 'rxjs';
import {
  collect,
  fixedDelay,
  fromObservable,
  Job,
  type JobRun,
  range,
  type Sink,
  UnrecoverableError,
} from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { revokedProxy, withThen } from '../support/rude-values.ts';

/** RxJS would have thrown this on its own timer, which ends the process. */
const uncaught: unknown[] = [];

beforeEach(() => {
  uncaught.length = 0;
  config.onUnhandledError = (error) => uncaught.push(error);
});

afterEach(() => {
  config.onUnhandledError = null;
  expect(uncaught).toEqual([]);
});

const threeAttempts = fixedDelay({ maxAttempts: 2, delayMs: 1 });

/** Runs a job to its end: the message of its failure, and how often something ran. */
async function messageOf(job: Job, watch: (run: JobRun) => void = () => {}): Promise<string | undefined> {
  const environment = virtualEnvironment();
  const run = job.run({ environment, restartBackoff: threeAttempts });
  watch(run);
  const outcome = run.result.then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
  return environment.drive(outcome);
}

const tearingDown = <Value>() =>
  finalize<Value>(() => {
    throw new Error('the teardown');
  });

const refusing = (): never => {
  throw new UnrecoverableError('the step behind');
};

/** A fake observable, whose subscription cannot be unsubscribed. */
const foreign = <Value>(source: Observable<Value>): Observable<Value> =>
  ({ subscribe: (listener: never) => void source.subscribe(listener) }) as unknown as Observable<Value>;

describe('a pipe of through', () => {
  const job = (): { job: Job; numbers: ReturnType<Job['source']> } => {
    const job = Job.create('rude');
    return { job, numbers: job.source('numbers', range(0, 3)) };
  };

  it('whose teardown throws at its completion fails, and names its operator', async () => {
    const { job: rude, numbers } = job();
    numbers.through(tearingDown(), { uid: 'rude' }).sink('out', collect());
    expect(await messageOf(rude)).toMatch(/failed: the teardown \(in "rude"/);
  });

  it('whose teardown throws at its completion fails, also before other steps', async () => {
    const { job: rude, numbers } = job();
    numbers
      .through(tearingDown(), { uid: 'rude' })
      .map((n) => n)
      .sink('out', collect());
    expect(await messageOf(rude)).toMatch(/failed: the teardown \(in "rude"/);
  });

  it.each([
    ['whose teardown throws', tearingDown<unknown>()],
    ['that cannot be unsubscribed from', foreign<unknown>],
  ])('%s after another step has failed does not delay the job', async (_, rudely) => {
    const { job: rude, numbers } = job();
    numbers.through(rudely).map(refusing).sink('out', collect());
    expect(await messageOf(rude)).toMatch(/failed: the step behind/);
  });

  it('whose teardown throws when no consumer needs more has no effect', async () => {
    const { job: rude, numbers } = job();
    const out = collect<unknown>();
    numbers.through(tearingDown()).through(take(2)).sink('out', out);
    expect([await messageOf(rude), out.records]).toEqual([undefined, [0, 1]]);
  });

  it('whose teardown throws does not delay a canceled job', async () => {
    const rude = Job.create('rude');
    rude
      .source(
        'never',
        fromObservable(() => NEVER, { buffer: { capacity: 1, overflow: 'error' } }),
      )
      .through(tearingDown())
      .sink('out', collect());
    expect(await messageOf(rude, (run) => void run.cancel())).toMatch(/was canceled/);
  });

  it('that fails during the subscription fails, and names its operator', async () => {
    const { job: rude, numbers } = job();
    const throwing = {
      subscribe: () => {
        throw new Error('not today');
      },
    };
    numbers.through(() => throwing as unknown as Observable<unknown>, { uid: 'rude' }).sink('out', collect());
    expect(await messageOf(rude)).toMatch(/failed: not today \(in "rude"/);
  });

  it.each([
    // oxlint-disable-next-line unicorn/no-thenable -- that is what it is for
    ['a property `then` that throws', () => Object.defineProperty({}, 'then', { get: refusing })],
    ['a revoked proxy', revokedProxy],
  ])('that emits %s fails, and loses nothing silently', async (_, make) => {
    const { job: rude, numbers } = job();
    numbers.through(map(make), { uid: 'rude' }).sink('out', collect());
    expect(await messageOf(rude)).toMatch(/^Job "rude" failed: .*\(in "rude", at range\(0, 3\), record 0/);
  });

  //  numbers ──▶ a promise, last of all ──▶ map     it came when the pipe was complete
  it('that ends with a promise fails, also before other steps', async () => {
    const { job: rude, numbers } = job();
    const last = withThen({}, () => {});
    numbers
      .through(pipe(ignoreElements(), endWith<unknown>(last)), { uid: 'rude' })
      .map((n) => n)
      .sink('out', collect());
    expect(await messageOf(rude)).toMatch(/failed: result of through: expected a record, not a promise of one.*"rude"/);
  });
});

describe('an observable as a source', () => {
  const buffer = { capacity: 4, overflow: 'error' } as const;
  const reading = (observable: () => Observable<number>, sink: Sink<number> = collect<number>()): Job => {
    const job = Job.create('rude');
    job.source('observable', fromObservable(observable, { buffer })).sink('out', sink);
    return job;
  };

  it('whose teardown throws at its completion is read to its end', async () => {
    const out = collect<number>();
    const message = await messageOf(reading(() => of(1, 2).pipe(tearingDown()), out));
    expect([message, out.records]).toEqual([undefined, [1, 2]]);
  });

  it.each<[string, () => Observable<number>, RegExp]>([
    ['as it fails, fails with its own error', () => new Observable((to) => to.error(new Error('its own'))), /its own/],
    ['as its buffer is full, fails with that', () => of(1, 2, 3, 4, 5), /record 5 does not fit/],
  ])('whose teardown throws %s', async (_, observable, reason) => {
    expect(await messageOf(reading(() => observable().pipe(tearingDown())))).toMatch(reason);
  });

  it('whose teardown throws on its own timer does not end the process', async () => {
    const job = reading(
      () =>
        new Observable((to) => {
          queueMicrotask(() => to.complete());
          return () => {
            throw new Error('the teardown');
          };
        }),
    );
    expect(await messageOf(job)).toBeUndefined();
  });
});

describe.each(['events$', 'status$'] as const)('a listener of %s whose teardown throws', (stream) => {
  it.each<[string, (source: Observable<unknown>) => Observable<unknown>]>([
    ['last', (source) => source.pipe(tearingDown())],
    ['before other operators', (source) => source.pipe(tearingDown(), map(String))],
    ['among others', (source) => merge(source, NEVER.pipe(take(0))).pipe(tearingDown())],
    ['early', (source) => source.pipe(tearingDown(), take(1))],
  ])('%s, does not delay the job', async (_, rudely) => {
    const job = Job.create('watched');
    const out = collect<number>();
    job.source('numbers', range(0, 3)).sink('out', out);
    const message = await messageOf(job, (run) => {
      rudely(run[stream]).subscribe();
    });
    expect([message, out.records]).toEqual([undefined, [0, 1, 2]]);
  });
});
