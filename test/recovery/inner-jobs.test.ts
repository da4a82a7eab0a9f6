import {
  blocking,
  collect,
  fixedDelay,
  fromArray,
  Job,
  type JobEvent,
  JobFailedError,
  noRestart,
  range,
  spillFaultPoints,
  systemEnvironment,
  UnrecoverableError,
} from '../../src/index.ts';
import { faultPlan } from '../../src/testing/index.ts';

//  numbers ─▶ many ═▶ sum ─▶ out       one edge of `parallelism` partitions, of which one cannot be read back
async function losing(parallelism: number): Promise<number> {
  const faults = faultPlan();
  faults.fail(spillFaultPoints.read, { times: 1_000 });
  const job = Job.create('inner', { parallelism });
  const out = collect<number>();
  job
    .source('numbers', range(0, 20))
    .rebalance({ exchange: blocking({ memoryBudgetBytes: 0 }) })
    .map((n) => n, { uid: 'sum', parallelism: 1 })
    .sink('out', out);
  await job.run({ restartBackoff: noRestart(), environment: systemEnvironment({ faults }) }).result;
  return out.records.length;
}

async function throwing(error: Error): Promise<number> {
  const job = Job.create('inner');
  job
    .source('numbers', fromArray([1]))
    .map(() => {
      throw error;
    })
    .sink('out', collect());
  await job.run({ restartBackoff: noRestart() }).result;
  return 0;
}

//  items ─▶ paid ═▶ asks ─▶ out        `asks` runs a job of its own, which fails once
async function outer(inner: () => Promise<number>) {
  const log = { paid: 0, asked: 0 };
  const events: JobEvent[] = [];
  const job = Job.create('outer');
  const out = collect<number>();
  job
    .source('items', fromArray([1, 2, 3]))
    .map((item) => (log.paid++, item), { uid: 'paid' })
    .rebalance({ exchange: 'blocking' })
    .mapAsync(async (item) => (log.asked++ === 0 ? await inner() : item), { uid: 'asks', concurrency: 1 })
    .sink('out', out);
  const run = job.run({ restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }) });
  run.events$.subscribe((event) => events.push(event));
  const failure = await run.result.then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  const classes = events.flatMap((event) => (event.type === 'task.failed' ? [event.classification] : []));
  return { log, failure, classes, events, records: out.records };
}

describe('a function that runs a failing job', () => {
  it.each([1, 7])('because it lost one of %i results: nothing of the outer job is blamed', async (parallelism) => {
    const { log, failure, classes, events, records } = await outer(() => losing(parallelism));
    expect(failure).toBeUndefined();
    expect(records).toEqual([1, 2, 3]);
    expect(classes).toEqual(['recoverable']);
    expect(events.filter(({ type }) => type === 'partition.lost')).toEqual([]);
    expect(log.paid).toBe(3);
  });

  it('because the engine refused it: that is an ordinary failure', async () => {
    const { failure, classes } = await outer(() =>
      throwing(new JobFailedError('inmost', undefined, 'why', { cause: 1 })),
    );
    expect(failure).toBeUndefined();
    expect(classes).toEqual(['recoverable']);
  });

  it('because of an UnrecoverableError of its own function: the outer job fails too', async () => {
    const { log, failure, classes } = await outer(() => throwing(new UnrecoverableError('no such account')));
    expect(failure).toBeInstanceOf(JobFailedError);
    expect(failure?.message).toContain('no such account');
    expect(classes).toEqual(['unrecoverable']);
    expect(log.asked).toBe(1);
  });

  it('each failed run has its own id', async () => {
    const runs = await Promise.all(
      [1, 2].map(() =>
        losing(1).then(
          () => undefined,
          (error: unknown) => (error as JobFailedError).run,
        ),
      ),
    );
    expect(new Set(runs).size).toBe(2);
    for (const run of runs) expect(run).toMatch(/^[0-9a-f]{16}$/);
  });
});
