import { collect, fixedDelay, Job, type JobEvent, type Sink, type Source } from '../../src/index.ts';
import { type FaultPlan, faultPlan, MemorySpillStore, virtualEnvironment } from '../../src/testing/index.ts';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { runJob } from '../../src/run/run-job.ts';

const never = (): Promise<never> => new Promise(() => {});

/** Three records, from a reader that does not close. */
const source: Source<number> = {
  name: 'numbers',
  maxParallelism: 1,
  open: () => {
    let n = 0;
    return { read: () => (n < 3 ? [n++] : null), close: never };
  },
};

/** Accepts everything, and never aborts. */
const sink: Sink<unknown> = {
  name: 'out',
  guarantee: 'at-least-once',
  open: () => ({ write: () => {}, commit: () => {}, abort: never }),
};

/** Runs `job`; returns its outcome, the time, and the reports about what did not close. */
async function ended(job: Job, faults: FaultPlan = faultPlan(), cancelAfterMs?: number) {
  const environment = virtualEnvironment({ faults });
  const restartBackoff = fixedDelay({ maxAttempts: 1, delayMs: 10 });
  const run = job.run({ environment, restartBackoff, cancellationTimeoutMs: 500 });
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  if (cancelAfterMs !== undefined) environment.clock.setTimeout(() => void run.cancel(), cancelAfterMs);
  await environment.drive(run.result.catch(() => {}));
  const leftOpen = events.flatMap((event) =>
    event.type === 'closing.timedOut' ? [`${event.task}: ${event.what}`] : [],
  );
  const failures = run.failures.map(({ place, cause }) => `${place?.operator}: ${cause.message}`);
  return {
    failures,
    status: run.status,
    atMs: environment.clock.now(),
    leftOpen,
    timers: environment.clock.timerCount,
  };
}

const failing = (times: number): FaultPlan => {
  const faults = faultPlan();
  faults.fail('task.batch', { when: ({ records }) => records === 1, times });
  return faults;
};

describe('a source that does not close', () => {
  it('ST6: does not delay a job that has finished', async () => {
    const records = collect<number>();
    const job = Job.create('hanging');
    job.source('numbers', source).sink('out', records);
    const { status, atMs, leftOpen, timers } = await ended(job);
    expect({ status, atMs, leftOpen, timers, records: records.records }).toEqual({
      status: 'finished',
      atMs: 500,
      leftOpen: ['numbers[0]: the source "numbers"'],
      timers: 0,
      records: [0, 1, 2],
    });
  });

  it('ST6: does not delay the restart of a failed task', async () => {
    const records = collect<number>();
    const job = Job.create('hanging');
    job.source('numbers', source).sink('out', records);
    const { status, atMs, leftOpen } = await ended(job, failing(1));
    expect([status, atMs, leftOpen, records.records]).toEqual([
      'finished',
      1_010,
      Array(2).fill('numbers[0]: the source "numbers"'),
      [0, 1, 2],
    ]);
  });

  it('does not delay a canceled job', async () => {
    const job = Job.create('hanging');
    const endless: Source<number> = { ...source, open: () => ({ read: never, close: never }) };
    job.source('numbers', endless).sink('out', collect());
    expect(await ended(job, faultPlan(), 100)).toMatchObject({ status: 'canceled', atMs: 600, timers: 0 });
  });

  it('does not delay a task whose sink cannot be opened', async () => {
    const job = Job.create('hanging');
    const refuses: Sink<unknown> = { ...sink, open: () => Promise.reject(new Error('no')) };
    job.source('numbers', source).sink('out', refuses);
    const { status, leftOpen } = await ended(job);
    expect([status, leftOpen]).toEqual(['failed', Array(2).fill('numbers[0]: the source "numbers"')]);
  });
});

describe.each(['open', 'plan'] as const)('a source whose %s hangs', (method) => {
  it('does not delay the failure of a sink that cannot be opened', async () => {
    const job = Job.create('hanging');
    const hanging: Source<number> = { ...source, [method]: never };
    const refuses: Sink<unknown> = { ...sink, open: () => Promise.reject(new Error('no disk')) };
    job.source('numbers', hanging).sink('out', refuses);
    const { status, timers, failures } = await ended(job);
    expect([status, timers, failures]).toEqual(['failed', 0, Array(2).fill('out: no disk')]);
  });
});

describe('a sink whose abort hangs', () => {
  it('does not delay a failing job', async () => {
    const job = Job.create('hanging');
    job.source('numbers', { ...source, open: () => ({ read: () => [1], close: () => {} }) }).sink('out', sink);
    const { status, leftOpen, timers } = await ended(job, failing(2));
    expect([status, leftOpen, timers]).toEqual(['failed', Array(2).fill('numbers[0]: the sink "out"'), 0]);
  });
});

describe('a spill store whose cleanup hangs', () => {
  it('does not delay a job that has finished', async () => {
    const environment = virtualEnvironment();
    const job = Job.create('hanging');
    job.source('numbers', { ...source, open: () => ({ read: () => null, close: () => {} }) }).sink('out', collect());
    const store = new MemorySpillStore(environment.clock, { faults: environment.faults });
    const spillStore = { create: store.create.bind(store), dispose: never };
    const run = runJob(
      planJob(job),
      { environment, cancellationTimeoutMs: 500 },
      { dataPlane: (plan, options) => new LocalDataPlane(plan, { ...options, spillStore } as never) },
    );
    const said: JobEvent[] = [];
    run.events$.subscribe((event) => said.push(event));
    await environment.drive(run.result);
    expect(said.at(-1)).toMatchObject({
      type: 'closing.timedOut',
      task: undefined,
      what: 'the files of the run',
    });
  });
});
