import {
  collect,
  fixedDelay,
  fromArray,
  fromIterable,
  Job,
  type JobEvent,
  JobCanceledError,
  JobFailedError,
  type JobRunOptions,
  noRestart,
  range,
  RecordNotSerializableError,
  restartAll,
  type Sink,
  UnrecoverableError,
} from '../../src/index.ts';
import { type FaultPlan, faultPlan, virtualEnvironment } from '../../src/testing/index.ts';

/** Runs a job on virtual time to its end. */
async function runToEnd(job: Job, faults: FaultPlan = faultPlan(), options: JobRunOptions = {}) {
  const environment = virtualEnvironment({ faults });
  const run = job.run({
    restartBackoff: fixedDelay({ maxAttempts: 10, delayMs: 100 }),
    batchSize: 16,
    environment,
    ...options,
  });
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  try {
    const { receipt } = await environment.drive(run.result);
    return { run, receipt, events, error: undefined, attempts: receipt.attemptsByVertex };
  } catch (error) {
    const receipt = run.receipt();
    return { run, receipt, events, error, attempts: receipt.attemptsByVertex };
  }
}

/** Sums of the numbers up to `count` by their last digit, as computed by the jobs below. */
function sumsByLastDigit(count: number): string[] {
  const sums = new Map<number, number>();
  for (let n = 0; n < count; n++) sums.set(n % 10, (sums.get(n % 10) ?? 0) + n);
  return [...sums].map(([digit, sum]) => `${digit}: ${sum}`).sort();
}

function sumsJob(mode: 'batch' | 'streaming', count = 1_000) {
  const job = Job.create('sums', { mode, parallelism: 2 });
  const sums = collect<string>();
  job
    .source('numbers', range(0, count))
    .keyBy((n) => n % 10)
    .aggregate(
      {
        create: () => ({ sum: 0 }),
        add: (total, n) => ({ sum: total.sum + n }),
        result: ({ sum }, digit) => `${digit}: ${sum}`,
      },
      { uid: 'sums-by-digit', emit: 'final' },
    )
    .sink('out', sums);
  return { job, result: () => [...sums.records].sort() };
}

describe('a batch job', () => {
  //  numbers[0] ─┬─▶ sums-by-digit[0]
  //              ╳                      complete batch: four regions
  //  numbers[1] ─┴─▶ sums-by-digit[1]
  it('has the same result as a loop', async () => {
    const { job, result } = sumsJob('batch');
    const { attempts } = await runToEnd(job);
    expect(result()).toEqual(sumsByLastDigit(1_000));
    expect(attempts).toEqual({ numbers: 1, 'sums-by-digit': 1 });
  });

  it('re-runs one consumer that is killed half-way, and re-uses the results of both producers', async () => {
    const { job, result } = sumsJob('batch');
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex, subtask }) => vertex === 'sums-by-digit' && subtask === 1, skip: 10 });
    const { receipt, attempts } = await runToEnd(job, faults);
    expect(faults.unfired()).toEqual([]);
    expect(result()).toEqual(sumsByLastDigit(1_000));
    expect(attempts).toEqual({ numbers: 1, 'sums-by-digit': 2 });
    expect(receipt.tasks).toEqual({ total: 4, reRun: 1, attempts: 5 });
    expect(receipt.records).toEqual({ read: 1_000, reRead: 0 });
    expect(receipt.failovers).toMatchObject([
      { task: 'sums-by-digit[1]', tasksRestarted: 1, partitionsReused: 2, recordsReused: 1_000, recoveryMs: 100 },
    ]);
  });

  it('re-runs one producer that is killed half-way; the other keeps running, and consumers start once', async () => {
    const { job, result } = sumsJob('batch');
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex, subtask }) => vertex === 'numbers' && subtask === 0, skip: 10 });
    const { receipt, attempts } = await runToEnd(job, faults);
    expect(result()).toEqual(sumsByLastDigit(1_000));
    expect(attempts).toEqual({ numbers: 2, 'sums-by-digit': 1 });
    expect(receipt.tasks.attempts).toBe(5);
    expect(receipt.records).toEqual({ read: 1_160, reRead: 160 });
  });

  it('re-runs everything with restartAll', async () => {
    const { job, result } = sumsJob('batch');
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex }) => vertex === 'sums-by-digit', skip: 10 });
    const { attempts } = await runToEnd(job, faults, { failoverStrategy: restartAll() });
    expect(result()).toEqual(sumsByLastDigit(1_000));
    expect(attempts).toEqual({ numbers: 2, 'sums-by-digit': 2 });
  });

  it('never leaves `running` while a region restarts', async () => {
    const { job } = sumsJob('batch');
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex }) => vertex === 'sums-by-digit', skip: 3, times: 2 });
    const { events } = await runToEnd(job, faults);
    const statuses = events.flatMap((event) => (event.type === 'job.statusChanged' ? [event.status] : []));
    expect(statuses.slice(statuses.indexOf('running'))).toEqual(['running', 'finished']);
    expect(events.some((event) => event.type === 'region.stateChanged' && event.state === 'restarting')).toBe(true);
  });

  it('survives a failure at every fault point of a task, in every attempt of three', async () => {
    for (const point of ['task.deploy', 'task.open', 'task.batch', 'task.end', 'task.finish']) {
      for (const vertex of ['numbers', 'sums-by-digit']) {
        const { job, result } = sumsJob('batch', 200);
        const faults = faultPlan();
        faults.fail(point, { when: (place) => place['vertex'] === vertex && place['subtask'] === 0, times: 3 });
        const { attempts } = await runToEnd(job, faults);
        expect([point, result()]).toEqual([point, sumsByLastDigit(200)]);
        expect(attempts[vertex]).toBe(4);
      }
    }
  });
});

describe('a streaming job', () => {
  //  numbers[0] ─┬─▶ sums-by-digit[0]
  //              ╳                      pipelined: one region
  //  numbers[1] ─┴─▶ sums-by-digit[1]
  it('restarts the failed region, and gives the result of an undisturbed run', async () => {
    const { job, result } = sumsJob('streaming');
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex, subtask }) => vertex === 'sums-by-digit' && subtask === 1, skip: 10 });
    const { attempts } = await runToEnd(job, faults);
    expect(result()).toEqual(sumsByLastDigit(1_000));
    expect(attempts).toEqual({ numbers: 2, 'sums-by-digit': 2 });
  });

  it('does not affect other pipelines', async () => {
    const job = Job.create('two', { mode: 'streaming' });
    const [left, right] = [collect<number>(), collect<number>()];
    job
      .source('left', range(0, 100))
      .map((n) => n)
      .sink('left-out', left);
    job
      .source('right', range(0, 100))
      .map((n) => n)
      .sink('right-out', right);
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex }) => vertex === 'left', skip: 2 });
    const { attempts } = await runToEnd(job, faults);
    expect(attempts).toEqual({ left: 2, right: 1 });
    expect([left.records.length, right.records.length]).toEqual([100, 100]);
  });
});

describe('an expensive step in the middle', () => {
  //  articles ──▶ embed ──▶│ index     complete batch after the calls: they are paid for once
  it('pays for exactly N calls although a later step fails', async () => {
    const job = Job.create('embeddings');
    const index = collect<string>();
    let calls = 0;
    job
      .source('articles', range(0, 500))
      .mapAsync(
        (id) => {
          calls++;
          return Promise.resolve(`vector of ${id}`);
        },
        { concurrency: 8, uid: 'embed' },
      )
      .forward({ exchange: 'blocking' })
      .map((vector) => vector.toUpperCase(), { uid: 'index' })
      .sink('out', index);
    const faults = faultPlan();
    faults.fail('task.batch', { when: ({ vertex }) => vertex === 'index', skip: 5, times: 2 });
    const { attempts } = await runToEnd(job, faults);
    expect(faults.fired()).toBe(2);
    expect(calls).toBe(500);
    expect(index.records).toEqual(Array.from({ length: 500 }, (_, id) => `VECTOR OF ${id}`));
    expect(attempts).toMatchObject({ index: 3 });
  });
});

describe('partitioning of records', () => {
  it.each(['batch', 'streaming'] as const)('union, rebalance, broadcast and flatMap in %s mode', async (mode) => {
    const job = Job.create('ways', { mode, parallelism: 3 });
    const [all, everywhere] = [collect<number>(), collect<number>()];
    const numbers = job.source('numbers', range(0, 90)).union(job.source('more', fromArray([90, 91, 92])));
    numbers
      .rebalance()
      .flatMap((n) => [n, -n], { uid: 'both' })
      .sink('all', all);
    job
      .source('few', fromIterable([1, 2]), { parallelism: 1 })
      .broadcast()
      .map((n) => n)
      .sink('everywhere', everywhere);
    await runToEnd(job);
    const expected = Array.from({ length: 93 }, (_, n) => [n, -n]).flat();
    expect([...all.records].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
    expect([...everywhere.records].sort()).toEqual([1, 1, 1, 2, 2, 2]);
  });
});

describe('the end of a job', () => {
  const failing = (cause: () => unknown) => {
    const job = Job.create('failing');
    job
      .source('numbers', range(0, 10))
      .map((n) => {
        if (n === 5) throw cause();
        return n;
      })
      .sink('out', collect<number>());
    return job;
  };

  it('an incurable failure: at once', async () => {
    const { error, attempts } = await runToEnd(failing(() => new UnrecoverableError('the key is revoked')));
    expect(error).toBeInstanceOf(JobFailedError);
    expect((error as JobFailedError).message).toContain('the key is revoked');
    expect((error as JobFailedError).task).toBe('numbers[0]');
    expect(attempts).toEqual({ numbers: 1 });
  });

  it('the restart backoff: after its last attempt', async () => {
    const { error, attempts, run } = await runToEnd(
      failing(() => 'a text'),
      undefined,
      {
        restartBackoff: fixedDelay({ maxAttempts: 2, delayMs: 10 }),
      },
    );
    expect((error as JobFailedError).cause).toMatchObject({ code: 'NON_ERROR_THROWN', thrown: 'a text' });
    expect(attempts).toEqual({ numbers: 3 });
    expect(run.failures).toHaveLength(3);
  });

  it('no restart at all', async () => {
    const { error, attempts } = await runToEnd(
      failing(() => new Error('boom')),
      undefined,
      {
        restartBackoff: noRestart(),
      },
    );
    expect((error as Error).message).toContain('boom');
    expect(attempts).toEqual({ numbers: 1 });
  });

  it('a record that cannot be written to disk: named by its path, without a retry', async () => {
    const job = Job.create('functions');
    job
      .source('numbers', range(0, 10))
      .map((n) => ({ n, more: { run: () => n } }))
      .rebalance({ exchange: 'blocking' })
      .map((record) => record.n)
      .sink('out', collect<number>());
    const { error, attempts } = await runToEnd(job);
    const { cause } = error as { cause: unknown };
    expect(cause).toBeInstanceOf(RecordNotSerializableError);
    expect((cause as RecordNotSerializableError).path).toBe('$.more.run');
    expect(attempts).toMatchObject({ numbers: 1 });
  });

  it('a function that changes an emitted record fails at that line', async () => {
    const job = Job.create('mutation', { mode: 'streaming' });
    const kept: { n: number }[] = [];
    job
      .source('numbers', range(0, 40))
      .map((n) => {
        const record = { n };
        for (const old of kept.splice(0)) old.n = -1;
        kept.push(record);
        return record;
      })
      .rebalance({ exchange: 'pipelined' })
      .map((record) => record.n)
      .sink('out', collect<number>());
    const { error } = await runToEnd(job, undefined, { restartBackoff: noRestart(), batchSize: 4 });
    expect((error as JobFailedError).cause).toBeInstanceOf(TypeError);
  });
});

describe('cancel', () => {
  const endless = (): Job => {
    const job = Job.create('endless', { mode: 'streaming', parallelism: 2 });
    const nothing: Sink<number> = {
      name: 'nothing',
      guarantee: 'at-least-once',
      open: () => ({ write: () => {}, commit: () => {}, abort: () => {} }),
    };
    job
      .source('numbers', fromIterable(countUp), { parallelism: 1 })
      .rebalance()
      .map((n) => n)
      .sink('out', nothing);
    return job;
  };

  function* countUp(): Generator<number> {
    for (let n = 0; ; n++) yield n;
  }

  it('ends an endless source', async () => {
    const environment = virtualEnvironment();
    const run = endless().run({ environment });
    await environment.runUntil(() => run.snapshot().tasks.running === 3);
    await environment.drive(run.cancel());
    expect(run.status).toBe('canceled');
    await expect(run.result).rejects.toBeInstanceOf(JobCanceledError);
    expect(run.snapshot().tasks).toMatchObject({ running: 0, canceled: 3 });
  });

  it('by a signal, with its reason', async () => {
    const environment = virtualEnvironment();
    const controller = new AbortController();
    const run = endless().run({ environment, signal: controller.signal });
    await environment.runUntil(() => run.snapshot().tasks.running === 3);
    controller.abort(new Error('enough'));
    const error = await environment.drive(run.result.catch((reason: unknown) => reason));
    expect((error as JobCanceledError).cause).toMatchObject({ message: 'enough' });
  });

  it('at the end of the block that holds the run', async () => {
    const environment = virtualEnvironment();
    const run = endless().run({ environment });
    await environment.runUntil(() => run.snapshot().tasks.running === 3);
    await environment.drive(run[Symbol.asyncDispose]());
    expect(run.status).toBe('canceled');
  });

  it('while a region waits for its backoff', async () => {
    const environment = virtualEnvironment();
    const { job } = sumsJob('batch');
    environment.faults.fail('task.batch', { when: ({ vertex }) => vertex === 'sums-by-digit' });
    const run = job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1_000_000 }) });
    await environment.runUntil(() => run.snapshot().restarting);
    await environment.drive(run.cancel());
    expect(run.status).toBe('canceled');
    expect(environment.clock.now()).toBeLessThan(1_000_000);
  });
});
