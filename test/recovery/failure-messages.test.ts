import {
  collect,
  type DataStream,
  type Exchange,
  fixedDelay,
  forEach,
  fromArray,
  Job,
  JobFailedError,
  type JobRun,
  noRestart,
  range,
  type Sink,
} from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';

interface Review {
  readonly id: number;
  readonly apiKey: string;
}

const reviews = Array.from({ length: 9 }, (_, id): Review => ({ id, apiKey: 'sk-secret' }));

const failAt =
  (at: number) =>
  <Row extends { readonly id: number }>(row: Row): Row => {
    if (row.id === at) throw new TypeError(`no price for ${at}`);
    return row;
  };

async function failureOf(
  job: Job,
  options: Parameters<Job['run']>[0] = {},
): Promise<{ run: JobRun; error: JobFailedError }> {
  const environment = virtualEnvironment();
  const run = job.run({ restartBackoff: noRestart(), environment, ...options });
  const error = await environment.drive(
    run.result.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  expect(error).toBeInstanceOf(JobFailedError);
  return { run, error: error as JobFailedError };
}

describe('a job that fails says what went wrong, in which operator, and at which record', () => {
  it.each([
    ['at once', (row: Review) => failAt(7)(row)],
    ['later', async (row: Review) => failAt(7)(row)],
    [
      'later, after some that answered at once',
      (row: Review) => (row.id < 5 ? undefined : Promise.resolve(row).then(failAt(7))),
    ],
  ])('a function of forEach that fails %s: the record of the source', async (_, store) => {
    const job = Job.create('prices');
    job
      .source('reviews', fromArray(reviews))
      .map((row) => row)
      .sink('store', forEach(store));
    for (const batchSize of [1, 2, 64]) {
      const { error } = await failureOf(job, { batchSize });
      expect(error.message).toBe(
        'Job "prices" failed: no price for 7 (in "store", at array[7]: {"id":7,"apiKey":(left out)}, in reviews[0]; the restart backoff allows no more restarts)',
      );
    }
  });

  //  reviews ─▶ [rate] ─▶ [store ✗]
  it('after a paid step: the record of the source', async () => {
    const job = Job.create('prices');
    job
      .source('reviews', fromArray(reviews))
      .filter(({ id }) => id % 2 === 1)
      .mapAsync(async (row) => row, { uid: 'rate' })
      .map(failAt(7), { uid: 'store' })
      .sink('out', collect());
    const { error } = await failureOf(job);
    expect(error.message).toBe(
      'Job "prices" failed: no price for 7 (in "store", at array[7]: {"id":7,"apiKey":(left out)}, in reviews[0]; the restart backoff allows no more restarts)',
    );
    expect(error.place?.operator).toBe('store');
  });

  it.each<Exchange>(['pipelined', 'memory', 'reliable', 'blocking'])(
    'after an exchange that is %s: result, subpartition and number of the record',
    async (exchange) => {
      const job = Job.create('prices', { parallelism: 2 });
      job
        .source('reviews', fromArray(reviews), { parallelism: 1 })
        .keyBy(({ id }) => `${id % 2}`, { exchange })
        .process<number, Review>({ onRecord: (row, _, emit) => emit(failAt(6)(row)) }, { uid: 'store' })
        .sink('out', collect());
      const { error, run } = await failureOf(job);
      expect(error.place).toEqual({
        operator: 'store',
        record: {
          position: expect.stringMatching(/^reviews → store, result 0, subpartition [01], record 3$/),
          picture: '{"id":6,"apiKey":(left out)}',
        },
      });
      expect(run.failures[0]?.place).toEqual(error.place);
    },
  );

  describe('a key function of a shuffle', () => {
    const keyed = (row: Review): number => failAt(7)(row).id % 2;
    const steps: Readonly<Record<string, (job: Job) => DataStream<Review>>> = {
      'behind the source': (job) => job.source('reviews', fromArray(reviews)),
      'behind a map': (job) => job.source('reviews', fromArray(reviews)).map((row) => ({ ...row })),
      'behind a call': (job) => job.source('reviews', fromArray(reviews)).mapAsync(async (row) => row),
    };
    const fewer: typeof steps = {
      'behind a filter': (job) => job.source('reviews', fromArray(reviews)).filter(({ id }) => id > 3),
      'behind a flatMap': (job) => job.source('reviews', fromArray(reviews)).flatMap((row) => [row, row]),
      'behind a filter and a call': (job) =>
        job
          .source('reviews', fromArray(reviews))
          .filter(({ id }) => id > 3)
          .mapAsync(async (row) => row),
    };
    const placed = (position: string | undefined) => ({
      operator: 'store',
      record: { position, picture: '{"id":7,"apiKey":(left out)}' },
    });
    const stored = (reviewed: (job: Job) => DataStream<Review>, options?: Parameters<Job['run']>[0]) => {
      const job = Job.create('prices');
      reviewed(job)
        .keyBy(keyed, { exchange: 'blocking' })
        .process<number, Review>({ onRecord: (row, _, emit) => emit(row) }, { uid: 'store', parallelism: 3 })
        .sink('out', collect());
      return failureOf(job, options);
    };

    it.each(Object.entries(steps))('%s: its operator, and the record', async (_, reviewed) => {
      expect((await stored(reviewed)).error.place).toEqual(placed('array[7]'));
    });

    it.each(Object.entries(fewer))('%s: the record; and its origin when it fails again', async (_, reviewed) => {
      const restartBackoff = fixedDelay({ maxAttempts: 1, delayMs: 1 });
      const { error, run } = await stored(reviewed, { restartBackoff });
      expect(run.failures.map(({ place }) => place?.record?.picture)).toEqual(
        Array(2).fill('{"id":7,"apiKey":(left out)}'),
      );
      expect(error.place).toMatchObject(placed('array[7]'));
    });

    it('that returns an invalid key', async () => {
      const job = Job.create('prices');
      job
        .source('reviews', fromArray(reviews))
        .keyBy((row) => (row.id === 2 ? (row as never) : row.id), { exchange: 'memory' })
        .reduce((row) => row, { uid: 'latest', parallelism: 2 })
        .sink('out', collect());
      const { error } = await failureOf(job);
      expect(error.place).toMatchObject({ operator: 'latest', record: { position: 'array[2]' } });
    });
  });

  const broken: Sink<unknown> = {
    name: 'database',
    guarantee: 'at-least-once',
    open: () => ({ write: () => Promise.reject(new Error('the database is away')), commit: () => {}, abort: () => {} }),
  };
  it.each<[string, (job: Job) => unknown, string]>([
    ['a sink', (job) => job.source('n', range(0, 9)).sink('to-database', broken), 'to-database'],
    [
      'a sink that cannot be opened',
      (job) =>
        job.source('n', range(0, 9)).sink('to-database', {
          ...broken,
          open: () => Promise.reject(new Error('the database is away')),
        }),
      'to-database',
    ],
    [
      'a source that cannot be opened',
      (job) =>
        job
          .source('n', {
            name: 'queue',
            maxParallelism: 1,
            open: () => Promise.reject(new Error('the database is away')),
          })
          .sink('out', collect()),
      'n',
    ],
    [
      'a source that cannot be read',
      (job) =>
        job
          .source('n', {
            name: 'queue',
            maxParallelism: 1,
            open: () => ({ read: () => Promise.reject(new Error('the database is away')), close: () => {} }),
          })
          .sink('out', collect()),
      'n',
    ],
  ])('%s by its uid', async (_, build, operator) => {
    const job = Job.create('prices');
    build(job);
    const { error } = await failureOf(job);
    expect(error.place).toEqual({ operator, record: undefined });
    expect(error.message).toMatch(/^Job "prices" failed: the database is away \(in "/);
  });

  it('log, events and classifiers of a recovered failure have it too', async () => {
    let isFirst = true;
    const job = Job.create('prices');
    job
      .source('reviews', fromArray(reviews))
      .map(
        (row) => {
          if (row.id !== 3 || !isFirst) return row;
          isFirst = false;
          throw new Error('once');
        },
        { uid: 'store' },
      )
      .sink('out', collect());
    const lines: string[] = [];
    const note = (line: string): void => void lines.push(line);
    const environment = virtualEnvironment({ logger: { debug: note, info: note, warn: note, error: note } });
    const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }) });
    const places: unknown[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'task.failed') places.push(event.place);
    });
    await environment.drive(run.result);
    const place = { operator: 'store', record: { position: 'array[3]', picture: '{"id":3,"apiKey":(left out)}' } };
    expect(places).toEqual([place]);
    expect(lines).toContain('reviews[0] failed: once (in "store", at array[3]: {"id":3,"apiKey":(left out)})');
  });
});
