import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, type Collected, fixedDelay, Job, JobIncompleteError, type JobRun, range } from '../../src/index.ts';
import { virtualEnvironment, type VirtualEnvironment } from '../../src/testing/index.ts';

//  numbers ─┤blocking├▶ halves ─▶ left        four regions of one task each
//  letters ─┤blocking├▶ copies ─▶ right
function twoOutputs(isBroken: () => boolean) {
  const [left, right] = [collect<number>(), collect<number>()];
  const job = Job.create('two outputs', { parallelism: 1 });
  job
    .source('numbers', range(0, 10))
    .rebalance({ exchange: 'blocking' })
    .map(
      (n) => {
        if (isBroken()) throw new Error('the database is away');
        return n / 2;
      },
      { uid: 'halves' },
    )
    .sink('left', left);
  job
    .source('letters', range(0, 10))
    .rebalance({ exchange: 'blocking' })
    .map((n) => n, { uid: 'copies' })
    .sink('right', right);
  return { job, left, right };
}

const options = {
  quarantine: { afterFailures: 2, withinMs: 60_000 },
  restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 100 }),
};

const outcome = (environment: VirtualEnvironment, run: JobRun): Promise<unknown> =>
  environment.drive(run.result.catch((error: unknown) => error));

const sorted = (out: Collected<number>): number[] => [...out.records].sort((a, b) => a - b);

describe('a job that ends with a quarantined region', () => {
  it('does not resolve: the error knows the region, its last failure, and what waited for it', async () => {
    const environment = virtualEnvironment();
    const { job, left, right } = twoOutputs(() => true);
    const run = job.run({ environment, ...options });
    const error = await outcome(environment, run);
    expect(error).toBeInstanceOf(JobIncompleteError);
    expect(error).toMatchObject({
      code: 'JOB_INCOMPLETE',
      job: 'two outputs',
      quarantined: [{ tasks: ['halves[0]'], task: 'halves[0]', failures: 2 }],
      heldUp: [],
      cause: { message: expect.stringContaining('the database is away') },
      message: expect.stringContaining('finished with 1 region quarantined'),
    });
    expect(run.status).toBe('incomplete');
    expect([sorted(left), sorted(right)]).toEqual([[], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    expect(run.snapshot().regions).toMatchObject({ quarantined: 1, finished: 3 });
    expect(run.receipt()).toMatchObject({ isIncomplete: true, quarantined: [{ tasks: 1, failures: 2 }] });
    expect(run.receipt().toString()).toContain('finished with 1 region quarantined');
  });

  it('J8: finishes if the region is released and mended before, be it at the last moment', async () => {
    const environment = virtualEnvironment();
    let isBroken = true;
    const { job, left } = twoOutputs(() => isBroken);
    const run = job.run({ environment, ...options });
    run.events$.subscribe((event) => {
      if (event.type !== 'region.quarantined') return;
      isBroken = false;
      run.release(event.region);
    });
    await environment.drive(run.result);
    expect(sorted(left)).toHaveLength(10);
    expect(run.receipt().quarantined).toBeUndefined();
  });

  it('run again with its state directory, continues with a fresh start for the region', async () => {
    const stateDirectory = mkdtempSync(join(tmpdir(), 'kintsugi-quarantine-'));
    try {
      const first = virtualEnvironment();
      const broken = twoOutputs(() => true).job.run({ environment: first, ...options, stateDirectory });
      expect(await outcome(first, broken)).toBeInstanceOf(JobIncompleteError);
      const second = virtualEnvironment();
      const mended = twoOutputs(() => false);
      const run = mended.job.run({ environment: second, ...options, stateDirectory });
      expect(await outcome(second, run)).toMatchObject({ receipt: { resumed: { finishedAt: undefined } } });
      expect(sorted(mended.left)).toHaveLength(10);
    } finally {
      rmSync(stateDirectory, { recursive: true });
    }
  });

  it('refuses to release an unknown region, or any once it has ended', async () => {
    const environment = virtualEnvironment();
    const run = twoOutputs(() => true).job.run({ environment, ...options });
    expect(() => run.release(99)).toThrow('0 to 3');
    await outcome(environment, run);
    expect(() => run.release(0)).toThrow('The job is incomplete');
  });
});

describe('backoffScope as a function', () => {
  it('names the budget that a failure uses up', async () => {
    const environment = virtualEnvironment();
    const { job } = twoOutputs(() => true);
    const named: string[] = [];
    const run = job.run({
      environment,
      restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 0 }),
      backoffScope: ({ vertex }, { graph }) => {
        named.push(graph.nameOf(vertex as never));
        return 'all';
      },
    });
    expect(await outcome(environment, run)).toMatchObject({ code: 'JOB_FAILED' });
    expect(named).toEqual(['halves[0]', 'halves[0]']);
  });

  it.each([() => 7 as never, () => Promise.resolve('x') as never, () => JSON.parse('{')])(
    'that fails is reported, and the region has its own budget',
    async (backoffScope) => {
      const environment = virtualEnvironment();
      const events: string[] = [];
      const run = twoOutputs(() => true).job.run({
        environment,
        restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 0 }),
        backoffScope,
      });
      run.events$.subscribe((event) => {
        if (event.type === 'failure.extensionFailed') events.push(event.extension);
      });
      expect(await outcome(environment, run)).toMatchObject({ code: 'JOB_FAILED' });
      expect(events).toEqual(['backoffScope']);
    },
  );
});
