import {
  collect,
  type DataStream,
  type DeadLetter,
  deadLetterRecord,
  fixedDelay,
  Job,
  type MaxErrors,
  range,
  type RejectRecord,
  taskFaultPoints,
  UnrecoverableError,
} from '../../src/index.ts';
import { faultPlan, virtualEnvironment } from '../../src/testing/index.ts';
import { inOneDataPlane, runStory } from '../support/run-story.ts';

const count = 60;
const isPoison = (n: number): boolean => n % 10 === 3;
const poison = Array.from({ length: count }, (_, n) => n).filter(isPoison);
const sound = Array.from({ length: count }, (_, n) => n).filter((n) => !isPoison(n));
const sorted = <Of>(values: readonly Of[]): Of[] => [...values].sort((a, b) => Number(a) - Number(b));

/** Fails at poison. */
function taste<Of>(n: number, result: Of): Of {
  if (isPoison(n)) throw new RangeError(`${n} is poison`, { cause: new Error('bad seed') });
  return result;
}

type Options = { readonly uid: string; readonly onError: RejectRecord<number>; readonly maxErrors?: MaxErrors };

/** Steps whose function fails at poison, and hand on every other number once. */
const steps: Readonly<Record<string, (stream: DataStream<number>, options: Options) => DataStream<number>>> = {
  map: (stream, options) => stream.map((n) => taste(n, n), options),
  filter: (stream, options) => stream.filter((n) => taste(n, true), options),
  'flatMap, after some results': (stream, options) =>
    stream
      .flatMap(function* (n): Generator<number> {
        yield n;
        taste(n, n);
      }, options)
      .map((n) => n),
  mapAsync: (stream, options) => stream.mapAsync(async (n) => taste(n, n), options),
  'mapAsync, at once and unordered': (stream, options) =>
    stream.mapAsync((n) => taste(n, n), { ...options, ordered: false, concurrency: 2 }),
  'mapAsync, in the cost of a call': (stream, options) =>
    stream.mapAsync((n) => n, { ...options, rateLimit: { tokens: 1_000, perMs: 1, cost: (n) => taste(n, 1) } }),
  'mapAsync, in the key of a call': (stream, options) =>
    stream.mapAsync((n) => n, { ...options, concurrencyPerKey: { key: (n) => taste(n, n % 3), limit: 1 } }),
  'mapAsync behind keyBy, in the key': (stream, options) =>
    stream.keyBy((n) => taste(n, n)).mapAsync((n) => n, options),
  'reduce, in the key': (stream, options) => stream.keyBy((n) => taste(n, n)).reduce((a, b) => a + b, options),
  'reduce, of updates': (stream, options) =>
    stream
      .keyBy((n) => n % 3)
      .aggregate(
        { create: () => ({ last: -1 }), add: (_, n) => taste(n, { last: n }), result: ({ last }) => last },
        { ...options, emit: 'updates' },
      ),
  'aggregate, in add': (stream, options) =>
    stream
      .keyBy((n) => n % 3)
      .aggregate(
        { create: (): number[] => [], add: (all, n) => taste(n, [...all, n]), result: (all) => all },
        { ...options, emit: 'final' },
      )
      .flatMap((all) => all),
  'process, after a result': (stream, options) =>
    stream
      .keyBy((n) => n % 3)
      .process<never, number>({ onRecord: (n, _, emit) => (emit(n), void taste(n, n)) }, options),
  'process, after a new state': (stream, options) =>
    stream
      .keyBy((n) => n % 3)
      .process<readonly number[], number>(
        {
          onRecord: (n, state) => {
            state.set([...(state.get() ?? []), n]);
            taste(n, n);
          },
          onEnd: (state, emit) => state.get()?.forEach(emit),
        },
        options,
      ),
  'process, in the first state of a key': (stream, options) =>
    stream
      .keyBy((n) => n)
      .process<number, number>(
        {
          onRecord: (n, state) => {
            state.set(n);
            taste(n, n);
          },
          onEnd: (state, emit) => emit(state.key),
        },
        options,
      ),
  'process, in the key': (stream, options) =>
    stream.keyBy((n) => taste(n, n % 3)).process<never, number>({ onRecord: (n, _, emit) => emit(n) }, options),
};

/** Runs numbers through a step, and a task that reads them: parts of the first one fail at the given points. */
async function runThrough(
  step: (stream: DataStream<number>) => DataStream<number>,
  parallelism: number,
  faults = faultPlan(),
) {
  const job = Job.create('poisoned', { parallelism });
  const out = collect<number>();
  step(job.source('numbers', range(0, count))).sink('out', out);
  return { out, ...(await runStory(job, { faults, batchSize: 7 })) };
}

describe.each([1, 3])('a record at which a function fails, at parallelism %i', (parallelism) => {
  describe.each(Object.entries(steps))('%s', (_, step) => {
    it('RJ1: is left out, and counted', async () => {
      const { out, receipt } = await runThrough(
        (stream) => step(stream, { uid: 'step', onError: 'skip' }),
        parallelism,
      );
      expect(sorted(out.records)).toEqual(sound);
      expect(receipt.rejected).toEqual([{ operator: 'step', skipped: poison.length, deadLetters: 0, replaced: 0 }]);
      expect(receipt.toString()).toContain(`records not processed: ${poison.length} skipped by "step"`);
      expect(receipt.failovers).toEqual([]);
    });

    it('is a dead letter, exactly once, also when the task runs again', async () => {
      const faults = faultPlan();
      for (const point of [taskFaultPoints.batch, taskFaultPoints.end, taskFaultPoints.finish]) {
        faults.fail(point, { when: ({ attempt }) => attempt === 0, skip: 1 });
      }
      const letters = collect<DeadLetter<number>>();
      const { out, receipt } = await runThrough(
        (stream) => step(stream, { uid: 'step', onError: { deadLetter: letters } }),
        parallelism,
        faults,
      );
      expect(receipt.failovers.length).toBeGreaterThan(0);
      expect(sorted(out.records)).toEqual(sound);
      expect(sorted(letters.records.map(({ record }) => record))).toEqual(poison);
      expect(receipt.rejected).toEqual([{ operator: 'step', skipped: 0, deadLetters: poison.length, replaced: 0 }]);
      for (const { record, error, operator, subtask, position } of letters.records) {
        expect(error).toMatchObject({
          name: 'RangeError',
          message: `${record} is poison`,
          cause: { message: 'bad seed' },
        });
        expect({ operator, isSubtask: subtask < parallelism }).toEqual({ operator: 'step', isSubtask: true });
        expect(position).toMatch(/record \d+$|^range\[\d+\]$/);
      }
    });

    it('RJ2: fails the job beyond `maxErrors`', async () => {
      const failing = runThrough((stream) => step(stream, { uid: 'step', onError: 'skip', maxErrors: 2 }), parallelism);
      await expect(failing).rejects.toMatchObject({
        message: expect.stringMatching(/"step" failed at [3-6] of [1-9]\d* records.*\(2\)\. The first: \d+ is poison/),
        cause: { code: 'TOO_MANY_ERRORS', operator: 'step', cause: { name: 'RangeError' } },
      });
    });
  });
});

describe('a function that answers for the one that failed', () => {
  /** After some turns of promises. */
  const later = async (n: number): Promise<number> => {
    for (let turns = 0; turns < 20; turns++) await Promise.resolve();
    return n;
  };
  const rows: Readonly<Record<string, readonly [(stream: DataStream<number>) => DataStream<number>, number[]]>> = {
    map: [(stream) => stream.map((n) => taste(n, n), { uid: 'step', onError: (_, n) => -n }), poison.map((n) => -n)],
    filter: [
      (stream) => stream.filter((n) => taste(n, true), { uid: 'step', onError: (_, n) => n > 30 }),
      [33, 43, 53],
    ],
    flatMap: [
      (stream) => stream.flatMap((n) => [taste(n, n)], { uid: 'step', onError: (_, n) => [-n, -n] }),
      poison.flatMap((n) => [-n, -n]),
    ],
    mapAsync: [
      (stream) => stream.mapAsync(async (n) => taste(n, n), { uid: 'step', onError: (_, n) => -n }),
      poison.map((n) => -n),
    ],
    'mapAsync, in its own time': [
      (stream) => stream.mapAsync(async (n) => taste(n, n), { uid: 'step', onError: (_, n) => later(-n) }),
      poison.map((n) => -n),
    ],
    'mapAsync, in its own time and unordered': [
      (stream) => stream.mapAsync((n) => taste(n, n), { uid: 'step', ordered: false, onError: (_, n) => later(-n) }),
      poison.map((n) => -n),
    ],
  };

  it.each(Object.entries(rows))('%s', async (_, [step, answers]) => {
    const { out, receipt } = await runThrough(step, 1);
    expect(sorted(out.records)).toEqual(sorted([...sound, ...answers]));
    expect(receipt.rejected).toEqual([{ operator: 'step', skipped: 0, deadLetters: 0, replaced: poison.length }]);
    expect(receipt.toString()).toContain('records answered by `onError`: 6 of "step"');
  });

  it('gets the error, the record and its place, and fails the task if it throws', async () => {
    const given: unknown[] = [];
    const failing = runThrough(
      (stream) =>
        stream.map((n) => taste(n, n), {
          uid: 'step',
          onError: (error, n, place) => {
            given.push([error.message, n, place]);
            throw new UnrecoverableError('no answer', { cause: error });
          },
        }),
      1,
    );
    await expect(failing).rejects.toThrow('no answer');
    const place = { operator: 'step', subtask: 0, position: 'range(0, 60), record 3' };
    expect(given).toEqual([['3 is poison', 3, place]]);
  });

  it('AM1, AM2: behind mapAsync it takes its time: the record keeps its order, and its place among the calls', async () => {
    let underWay = 0;
    let most = 0;
    const busy = async <Of>(work: () => Promise<Of>): Promise<Of> => {
      most = Math.max(most, ++underWay);
      return work().finally(() => underWay--);
    };
    const { out } = await runThrough(
      (stream) =>
        stream.mapAsync((n) => busy(async () => taste(n, await later(n))), {
          concurrency: 3,
          onError: (_, n) => busy(() => later(-n)),
        }),
      1,
    );
    expect(out.records).toEqual(Array.from({ length: count }, (_, n) => (isPoison(n) ? -n : n)));
    expect(most).toBe(3);
  });

  it('fails the task if its promise rejects', async () => {
    const failing = runThrough(
      (stream) =>
        stream.mapAsync((n) => taste(n, n), {
          onError: async (error, n) => {
            await later(n);
            throw new UnrecoverableError('no answer', { cause: error });
          },
        }),
      1,
    );
    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('no answer') });
    await expect(failing).rejects.toMatchObject({ place: { record: { picture: '3' } } });
  });

  it.each([true, false])('AM4: fails the task if its promise exceeds `timeoutMs` (ordered: %s)', async (ordered) => {
    let asked = 0;
    const failing = runThrough(
      (stream) =>
        stream.mapAsync((n) => taste(n, n), {
          uid: 'step',
          timeoutMs: 50,
          ordered,
          onError: (_, n) => (asked++ === 1 ? new Promise<number>(() => {}) : later(-n)),
        }),
      1,
    );
    const { out, receipt } = await failing;
    expect([...out.records].sort((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, n) => (isPoison(n) ? -n : n)).sort((a, b) => a - b),
    );
    expect(receipt.failovers).toEqual([
      expect.objectContaining({
        cause: expect.stringContaining('onError of "step" did not finish within 50 ms') as unknown,
      }),
    ]);
  });

  it('is left behind where the job is canceled: whatever it does, nothing waits for it', async () => {
    const environment = virtualEnvironment();
    const job = Job.create('canceled');
    job
      .source('numbers', range(0, count))
      .mapAsync((n) => taste(n, n), { uid: 'step', onError: () => new Promise<number>(() => {}) })
      .sink('out', collect<number>());
    const run = job.run({ environment });
    environment.clock.setTimeout(() => void run.cancel(), 100);
    const ended = run.result.then(
      () => 'finished',
      (error: unknown) => [(error as Error).name, environment.clock.now() < 200],
    );
    expect(await environment.drive(ended)).toEqual(['JobCanceledError', true]);
  });

  it('must not answer with a promise', async () => {
    const failing = runThrough(
      (stream) => stream.map((n) => taste(n, n), { onError: (async () => 0) as unknown as () => number }),
      1,
    );
    await expect(failing).rejects.toThrow('result of onError of "map-1": expected what the function would return');
  });
});

describe('RJ2: an error that concerns every record fails the job whatever `onError` says', () => {
  const rows: Readonly<Record<string, (stream: DataStream<number>) => DataStream<number>>> = {
    'an UnrecoverableError': (stream) =>
      stream.map((): number => {
        throw new Error('wrapped', { cause: new UnrecoverableError('the account is closed') });
      }, skip),
    'a write to a frozen record': (stream) => stream.map((n) => ({ n })).map((row) => (row.n = 1), skip),
    'a service that refuses all calls for days': (stream) =>
      stream.mapAsync((): number => {
        throw Object.assign(new Error('quota'), { retryAfterMs: 86_400_000 * 3 });
      }, skip),
    'a promise for a record': (stream) => stream.map((n) => Promise.resolve(n) as unknown as number, skip),
    'a promise that process emits': (stream) =>
      stream
        .keyBy((n) => n)
        .process<never, number>({ onRecord: (n, _, emit) => emit(Promise.resolve(n) as never) }, skip),
  };
  const skip = { uid: 'step', onError: 'skip' } as const;

  it.each(Object.entries(rows))('%s', async (_, step) => {
    await expect(runThrough(step, 1)).rejects.toMatchObject({ code: 'JOB_FAILED' });
  });
});

inOneDataPlane('executors report their records when an error asks for them, a batch later at most', () => {
  it('a share of the records may fail, once there are enough of them', async () => {
    const limited = (maxErrors: MaxErrors) =>
      runThrough((stream) => stream.map((n) => taste(n, n), { uid: 'step', onError: 'skip', maxErrors }), 1);
    await expect(limited({ share: 0.5, atLeast: 0 })).resolves.toBeDefined();
    await expect(limited({ share: 0.05 })).resolves.toBeDefined();
    await expect(limited({ share: 0.05, atLeast: 3 })).rejects.toMatchObject({
      cause: { code: 'TOO_MANY_ERRORS', errors: 4, records: 34, limit: { errors: 3, share: 0.05 } },
    });
  });
});

it('errors of an attempt that ran again do not count', async () => {
  const faults = faultPlan();
  faults.fail(taskFaultPoints.end, { times: 4 });
  const step = (stream: DataStream<number>) =>
    stream.map((n) => taste(n, n), { uid: 'step', onError: 'skip', maxErrors: poison.length });
  const { receipt } = await runThrough(step, 1, faults);
  expect(receipt).toMatchObject({ failovers: { length: 4 }, rejected: [{ skipped: poison.length }] });
});

it('each operator says so once in an attempt', async () => {
  const { events } = await runThrough(
    (stream) =>
      stream
        .map((n) => taste(n, n), { uid: 'first', onError: 'skip' })
        .map((n) => taste(n + 1, n), { uid: 'second', onError: (_, n) => n }),
    1,
  );
  const said = events.flatMap((event) =>
    event.type === 'record.rejected' ? [[event.task, event.outcome, event.place, event.cause.message]] : [],
  );
  const at = (operator: string, n: number) => ({
    operator,
    record: { position: `range(0, 60), record ${n}`, picture: `${n}` },
  });
  expect(said).toEqual([
    ['numbers[0]', 'replaced', at('second', 2), '3 is poison'],
    ['numbers[0]', 'skipped', at('first', 3), '3 is poison'],
  ]);
});

describe('keys for which a function fails at the end of the input', () => {
  const letters = () => collect<DeadLetter<number>>();
  const rows: Readonly<
    Record<string, (stream: DataStream<number>, onError: RejectRecord<number>) => DataStream<number>>
  > = {
    'result of aggregate': (stream, onError) =>
      stream
        .keyBy((n) => n % 20)
        .aggregate(
          { create: () => 0, add: (_, n) => n, result: (_, key) => taste(key, key) },
          { uid: 'step', emit: 'final', onError },
        ),
    'onEnd of process': (stream, onError) =>
      stream
        .keyBy((n) => n % 20)
        .process<number, number>(
          {
            onRecord: (n, state) => state.set(n),
            onEnd: (state, emit) => {
              emit(state.key);
              taste(state.key, 0);
            },
          },
          { uid: 'step', onError },
        ),
  };
  const keys = Array.from({ length: 20 }, (_, key) => key);

  it.each(Object.entries(rows))('%s', async (_, step) => {
    const dead = letters();
    const { out } = await runThrough((stream) => step(stream, { deadLetter: dead }), 1);
    expect(sorted(out.records)).toEqual(keys.filter((key) => !isPoison(key)));
    expect(dead.records.map(({ key, operator }) => [key, operator])).toEqual([
      [3, 'step'],
      [13, 'step'],
    ]);
    expect(dead.records.flatMap(deadLetterRecord)).toEqual([]);
    const skipped = await runThrough((stream) => step(stream, 'skip'), 1);
    expect(skipped.receipt.rejected).toMatchObject([{ skipped: 2 }]);
  });
});

it('a record at which attempt after attempt fails is named, with those attempts', async () => {
  const job = Job.create('poisoned');
  job
    .source('numbers', range(0, 10))
    .map((n) => taste(n, n), { uid: 'step' })
    .sink('out', collect<number>());
  const environment = virtualEnvironment();
  const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 2, delayMs: 1 }) });
  const failed: unknown[] = [];
  run.events$.subscribe((event) => {
    if (event.type === 'task.failed') failed.push(event.place?.earlierAttempts);
  });
  await expect(environment.drive(run.result)).rejects.toMatchObject({
    message: expect.stringContaining(': 3, the record at which attempts 0 and 1 failed too'),
    place: { operator: 'step', earlierAttempts: [0, 1] },
  });
  expect(failed).toEqual([undefined, [0], [0, 1]]);
});
