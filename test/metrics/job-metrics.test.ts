import { collect, fixedDelay, fromArray, Job, type JobRunOptions, noRestart, range } from 'kintsugi';
import { jobMetrics, metricDefinitions } from 'kintsugi/metrics';
import { faultPlan, virtualEnvironment } from 'kintsugi/testing';
import type { AttemptNumber, FailoverId } from '../../src/ids.ts';
import { causeClassOf } from '../../src/metrics/cause-class.ts';
import { JobTotals } from '../../src/metrics/job-totals.ts';
import { RunMeter } from '../../src/metrics/run-meter.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { readExposition, valueOf } from './exposition.ts';

//  numbers[0..1] ─┤├▶ sums[0..1]     four regions
function sumsJob(name = 'sums'): Job {
  const job = Job.create(name, { parallelism: 2 });
  job
    .source('numbers', range(0, 200))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', collect());
  return job;
}

interface Watched extends JobRunOptions {
  /** How often the first task of `sums` fails, and at which of its batches, from 0. */
  readonly failures?: number;
  readonly atBatch?: number;
}

/** A watched run on virtual time. Its metrics are read at every batch before it fails. */
function watched(job: Job, options: Watched = {}, metrics = jobMetrics()) {
  const { failures = 0, atBatch = 0, ...runOptions } = options;
  const faults = faultPlan();
  if (failures > 0) {
    const isFirstSum = ({ vertex, subtask }: Readonly<Record<string, unknown>>): boolean => {
      if (faults.fired() === 0) metrics.toPrometheus();
      return vertex === 'sums' && subtask === 0;
    };
    faults.fail('task.batch', { when: isFirstSum, skip: atBatch, times: failures });
  }
  const environment = virtualEnvironment({ faults });
  const restartBackoff = fixedDelay({ maxAttempts: 3, delayMs: 400 });
  const run = job.run({ batchSize: 16, restartBackoff, environment, ...runOptions });
  const stop = metrics.watch(run);
  return { metrics, environment, run, stop };
}

describe('the metrics of a run', () => {
  it('count a failure, the restart of its region, and the time until it runs again', async () => {
    const { metrics, environment, run } = watched(sumsJob(), { failures: 2 });
    await environment.drive(run.result);
    const text = metrics.toPrometheus();
    const labels = { job: 'sums', region: 'sums', cause: 'INJECTED_FAULT' };
    expect(valueOf(text, 'kintsugi_task_failures_total', { ...labels, classification: 'recoverable' })).toBe(2);
    expect(valueOf(text, 'kintsugi_region_restarts_total', labels)).toBe(2);
    expect(valueOf(text, 'kintsugi_tasks_restarted_total')).toBe(2);
    expect(valueOf(text, 'kintsugi_recovery_seconds_count')).toBe(2);
    expect(valueOf(text, 'kintsugi_recovery_seconds_bucket', { le: '0.25' })).toBe(0);
    expect(valueOf(text, 'kintsugi_recovery_seconds_bucket', { le: '0.5' })).toBe(2);
    expect(valueOf(text, 'kintsugi_recovery_seconds_bucket', { le: '+Inf' })).toBe(2);
    const seconds = run.receipt().failovers.reduce((sum, { recoveryMs = 0 }) => sum + recoveryMs / 1_000, 0);
    expect(valueOf(text, 'kintsugi_recovery_seconds_sum')).toBeCloseTo(seconds, 6);
    expect(valueOf(text, 'kintsugi_runs_ended_total', { outcome: 'finished' })).toBe(1);
  });

  it('count no restart and no recovery of a region that is quarantined', async () => {
    const quarantine = { afterFailures: 2, withinMs: 60_000 };
    const { metrics, environment, run } = watched(sumsJob(), { failures: 2, quarantine });
    await environment.drive(run.result.catch(() => {}));
    const text = metrics.toPrometheus();
    expect(valueOf(text, 'kintsugi_region_restarts_total', { region: 'sums' })).toBe(1);
    expect(valueOf(text, 'kintsugi_tasks_restarted_total')).toBe(1);
    expect(valueOf(text, 'kintsugi_recovery_seconds_count')).toBe(1);
    expect(valueOf(text, 'kintsugi_reused_records_total')).toBe(run.receipt().failovers[0]?.recordsReused);
    expect(valueOf(text, 'kintsugi_runs_ended_total', { outcome: 'incomplete' })).toBe(1);
    expect(valueOf(text, 'kintsugi_quarantines_total', { region: 'sums' })).toBe(1);
  });

  it('tell executors by state, and their slots: used ones, and free ones', async () => {
    const { metrics, environment, run } = watched(sumsJob(), { failures: 0, executors: 2, slots: 3 });
    const readings: (number | undefined)[][] = [];
    run.events$.subscribe(() => {
      const text = metrics.toPrometheus();
      const slots = ['used', 'free'].map((state) => valueOf(text, 'kintsugi_slots', { state }));
      readings.push([valueOf(text, 'kintsugi_executors', { state: 'registered' }), ...slots]);
    });
    await environment.drive(run.result);
    for (const [executors = 0, used = 0, free = 0] of readings) expect(used + free).toBe(3 * executors);
    expect(readings).toContainEqual([2, 2, 4]);
  });

  it.each([
    ['at every event', true],
    ['only before the failure', false],
  ])('agree with the receipt, also if they are read %s', async (_, isReadAtEvents) => {
    const { metrics, environment, run } = watched(sumsJob(), { failures: 1, atBatch: 3 });
    if (isReadAtEvents) run.events$.subscribe(() => metrics.toPrometheus());
    await environment.drive(run.result);
    const text = metrics.toPrometheus();
    const { movedByVertex, failovers } = run.receipt();
    for (const [vertex, { recordsIn, recordsOut }] of Object.entries(movedByVertex)) {
      expect(valueOf(text, 'kintsugi_records_in_total', { vertex })).toBe(recordsIn);
      expect(valueOf(text, 'kintsugi_records_out_total', { vertex })).toBe(recordsOut);
    }
    const exchange = { source: 'numbers', target: 'sums', exchange: 'blocking' };
    expect(valueOf(text, 'kintsugi_exchange_records_total', exchange)).toBe(200);
    expect(valueOf(text, 'kintsugi_reused_records_total')).toBe(failovers[0]?.recordsReused);
    expect(valueOf(text, 'kintsugi_reused_bytes_total')).toBe(failovers[0]?.bytesReused);
  });

  it('show tasks by state and what results hold while the run lasts, also to a late watcher, and then no longer', async () => {
    const { environment, run } = watched(sumsJob(), { memoryBudgetBytes: 1 << 20, failures: 1 });
    const late = jobMetrics();
    const seen: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type !== 'failover.decided') return;
      late.watch(run);
      seen.push(late.toPrometheus());
    });
    await environment.drive(run.result);
    const [text = ''] = seen;
    expect(valueOf(text, 'kintsugi_tasks', { vertex: 'numbers', state: 'finished' })).toBe(2);
    expect(valueOf(text, 'kintsugi_tasks', { vertex: 'sums', state: 'running' })).toBeLessThanOrEqual(1);
    expect(valueOf(text, 'kintsugi_runs', { status: 'running' })).toBe(1);
    expect(valueOf(text, 'kintsugi_exchange_results', { source: 'numbers', target: 'sums' })).toBe(2);
    const held = valueOf(text, 'kintsugi_exchange_held_bytes', { place: 'memory' });
    expect(held).toBeGreaterThan(0);
    expect(valueOf(text, 'kintsugi_memory_bytes')).toBe(held);
    expect(valueOf(text, 'kintsugi_memory_budget_bytes')).toBe(1 << 20);
    expect(valueOf(text, 'kintsugi_disk_budget_bytes')).toBeUndefined();
    const names = readExposition(late.toPrometheus()).samples.map(({ name }) => name);
    expect(
      names.filter((name) => (metricDefinitions as Record<string, { kind: string }>)[name]?.kind === 'gauge'),
    ).toEqual([]);
  });

  it('add up the runs of a job', async () => {
    const metrics = jobMetrics();
    for (const failures of [0, 1]) {
      const { environment, run } = watched(sumsJob(), { failures }, metrics);
      await environment.drive(run.result);
    }
    const text = metrics.toPrometheus();
    expect(valueOf(text, 'kintsugi_records_in_total', { vertex: 'numbers' })).toBe(400);
    expect(valueOf(text, 'kintsugi_runs_ended_total', { outcome: 'finished' })).toBe(2);
  });

  it('count a failure that is final', async () => {
    const { metrics, environment, run } = watched(sumsJob(), { failures: 9, restartBackoff: noRestart() });
    await environment.drive(run.result).catch(() => {});
    const text = metrics.toPrometheus();
    expect(valueOf(text, 'kintsugi_restarts_refused_total')).toBe(1);
    expect(valueOf(text, 'kintsugi_runs_ended_total', { outcome: 'failed' })).toBe(1);
  });

  it('count rejected records', async () => {
    const job = Job.create('words');
    job
      .source('words', fromArray(['gold', '', 'dust']))
      .map(
        (word) => {
          if (word === '') throw new Error('empty');
          return word;
        },
        { uid: 'weigh', onError: 'skip' },
      )
      .sink('out', collect());
    const { metrics, environment, run } = watched(job);
    await environment.drive(run.result);
    const text = metrics.toPrometheus();
    expect(valueOf(text, 'kintsugi_rejected_records_total', { operator: 'weigh', outcome: 'skipped' })).toBe(1);
  });

  it('count the time in which a slow consumer makes its producer wait', async () => {
    const environment = virtualEnvironment();
    const metrics = jobMetrics();
    const job = Job.create('slow', { mode: 'streaming' });
    const wait = (n: number): Promise<number> =>
      new Promise((resolve) => environment.clock.setTimeout(() => resolve(n), 100));
    job
      .source('numbers', range(0, 1_000))
      .rebalance({ exchange: 'pipelined' })
      .mapAsync(wait, { uid: 'slow', concurrency: 1, remember: false })
      .sink('out', collect());
    const run = job.run({ environment, batchSize: 8 });
    metrics.watch(run);
    const texts = new Map<number, string>();
    for (const seconds of [20, 40]) {
      environment.clock.setTimeout(() => texts.set(seconds, metrics.toPrometheus()), seconds * 1_000);
    }
    await environment.drive(run.result);
    const waited = [20, 40].map((seconds) =>
      valueOf(texts.get(seconds) as string, 'kintsugi_back_pressure_seconds_total', { vertex: 'numbers' }),
    );
    expect((waited[1] as number) - (waited[0] as number)).toBeCloseTo(20, 0);
    expect(valueOf(metrics.toPrometheus(), 'kintsugi_back_pressure_seconds_total', { vertex: 'slow' })).toBe(0);
  });

  it('stop when they are told to', async () => {
    const { metrics, environment, run, stop } = watched(sumsJob());
    stop();
    await environment.drive(run.result);
    expect(readExposition(metrics.toPrometheus()).samples.filter(({ value }) => value > 0)).toEqual([]);
  });
});

describe('labels', () => {
  it('tell 40 classes of causes apart; of 1 000, the others are `other`', () => {
    const totals = new JobTotals();
    const run = sumsJob().run({ environment: virtualEnvironment() });
    const meter = new RunMeter(insideOf(run), 'running', 'sums', totals, false);
    for (let failover = 0; failover < 1_000; failover++) {
      const cause = Object.assign(new Error('no'), { code: `CLASS_${failover}` });
      const about = { atMs: 0, failover: failover as FailoverId, attempt: 0 as AttemptNumber, labels: {} };
      meter.next({ type: 'task.failed', ...about, task: 'sums[0]', cause, classification: 'recoverable' });
    }
    const failed = [...totals.counters.of('kintsugi_task_failures_total')];
    expect(failed).toHaveLength(41);
    expect(failed.at(-1)).toEqual([['sums', 'sums', 'other', 'recoverable'], 960]);
  });

  it.each<[cause: Error, label: string]>([
    [Object.assign(new Error('connection reset by 10.0.0.7'), { code: 'ECONNRESET' }), 'ECONNRESET'],
    [new RangeError('17 is too much'), 'RangeError'],
    [new (class RateLimited extends Error {})('try at 12:07'), 'RateLimited'],
    [Object.assign(new Error('no'), { code: 'order 17' }), 'Error'],
    [Object.assign(new Error('no'), { code: 17 }), 'Error'],
  ])('%s is of class %s: never what its message says', (cause, label) => {
    expect(causeClassOf(cause)).toBe(label);
  });

  it('tell 100 jobs apart', () => {
    const metrics = jobMetrics();
    for (let n = 0; n < 150; n++) {
      const environment = virtualEnvironment();
      metrics.watch(sumsJob(`job-${n}`).run({ environment }));
    }
    const runs = readExposition(metrics.toPrometheus()).samples.filter(({ name }) => name === 'kintsugi_runs');
    expect(runs).toHaveLength(101);
    expect(runs.find(({ labels }) => labels['job'] === 'other')?.value).toBe(50);
  });

  it.each([
    [undefined, undefined],
    [true, 'sums[0]'],
  ])('with `taskLabel: %s` failures name the task %s', async (taskLabel, task) => {
    const { metrics, environment, run } = watched(sumsJob(), { failures: 1 }, jobMetrics({ taskLabel }));
    await environment.drive(run.result);
    const text = metrics.toPrometheus();
    const failed = readExposition(text).samples.find(({ name }) => name === 'kintsugi_task_failures_total');
    expect(failed?.labels['task']).toBe(task);
    expect(/\[\d+\]/.test(text)).toBe(taskLabel === true);
  });

  it('name a region by its vertices', async () => {
    const job = Job.create('chain', { parallelism: 2 });
    job
      .source('numbers', range(0, 20))
      .rebalance({ exchange: 'pipelined' })
      .map((n) => n, { uid: 'a' })
      .rebalance({ exchange: 'pipelined' })
      .map((n) => n, { uid: 'sums' })
      .rebalance({ exchange: 'pipelined' })
      .map((n) => n, { uid: 'b' })
      .sink('out', collect());
    const { metrics, environment, run } = watched(job, { failures: 1 });
    await environment.drive(run.result);
    const region = 'numbers+a+…+b (4)';
    expect(valueOf(metrics.toPrometheus(), 'kintsugi_region_restarts_total', { region })).toBe(1);
  });

  it('are escaped', async () => {
    const name = 'a "job"\\with\nlines';
    const { metrics, environment, run } = watched(sumsJob(name));
    await environment.drive(run.result);
    expect(readExposition(metrics.toPrometheus()).samples.every(({ labels }) => labels['job'] === name)).toBe(true);
  });
});

describe('the handler', () => {
  it('answers GET with the text, and refuses to be told anything', async () => {
    const { metrics } = watched(sumsJob());
    const get = metrics.fetch(new Request('http://localhost/metrics'));
    expect(get.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await get.text()).toBe(metrics.toPrometheus());
    expect(await metrics.fetch(new Request('http://localhost/metrics', { method: 'HEAD' })).text()).toBe('');
    expect(metrics.fetch(new Request('http://localhost/metrics', { method: 'POST' })).status).toBe(405);
  });
});

it('refuses what is no run and no option', () => {
  expect(() => jobMetrics().watch({} as never)).toThrow(/what job\.run\(\) returned/);
  expect(() => jobMetrics({ taskLabels: true } as never)).toThrow(/did you mean `taskLabel`/);
});
