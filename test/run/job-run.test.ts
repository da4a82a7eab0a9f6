import { Subject } from 'rxjs';
import type { InspectionEvent } from 'xstate';
import { planJob } from '../../src/api/job-planner.ts';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { runJob, type RunSeams } from '../../src/run/run-job.ts';
import {
  collect,
  fixedDelay,
  formatBytes,
  fromIterable,
  Job,
  JobCanceledError,
  type JobEvent,
  JobFailedError,
  type JobRun,
  type JobRunOptions,
  type JobSnapshot,
  noRestart,
  range,
} from '../../src/index.ts';
import { type FaultPlan, faultPlan, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';

//  numbers[0..1] ══▶ sums[0..1]     complete batch: four regions
function sumsJob(): Job {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', range(0, 200))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', collect());
  return job;
}

function* countUp(): Generator<number> {
  for (let n = 0; ; n++) yield n;
}

function endlessJob(): Job {
  const job = Job.create('endless', { mode: 'streaming' });
  job
    .source('numbers', fromIterable(countUp))
    .filter(() => false)
    .sink('out', collect());
  return job;
}

interface Started {
  readonly environment: VirtualEnvironment;
  readonly run: JobRun;
}

function started(job: Job, faults: FaultPlan = faultPlan(), options: JobRunOptions = {}): Started {
  const environment = virtualEnvironment({ faults });
  const restartBackoff = fixedDelay({ maxAttempts: 3, delayMs: 100 });
  return { environment, run: job.run({ batchSize: 16, restartBackoff, environment, ...options }) };
}

const failing = (vertex: string, times = 1): FaultPlan => {
  const faults = faultPlan();
  faults.fail('task.batch', { when: (place) => place['vertex'] === vertex && place['subtask'] === 0, times });
  return faults;
};

const broken = (): never => {
  throw new Error('no picture');
};

/** Ended, successfully or not. */
const settled = ({ environment, run }: Started): Promise<unknown> =>
  environment.drive(
    run.result.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );

describe('the time of a recovery', () => {
  //  numbers[0..1] → map ══▶ sums[0..1]     sums[0..1] wait for both results; the map is not declared deterministic
  it('does not include that of consumers that had not begun', async () => {
    const job = Job.create('sums', { parallelism: 2 });
    const odd = job.source('numbers', range(0, 200)).map((n) => n * 2 + 1);
    const sums = odd.keyBy((n) => n % 10).reduce((a, b) => a + b, { uid: 'sums' });
    sums.sink('out', collect());
    const { environment, run } = started(job, failing('numbers'));
    const events: JobEvent[] = [];
    run.events$.subscribe((event) => events.push(event));
    const { receipt } = await environment.drive(run.result);
    const at = (isIt: (event: JobEvent) => boolean): number => events.findIndex(isIt);
    const completed = at(({ type }) => type === 'failover.completed');
    const isOf = (task: string, state: string) => (event: JobEvent) =>
      event.type === 'task.stateChanged' && event.task === task && event.state === state;
    expect(completed).toBeGreaterThan(events.findLastIndex(isOf('numbers[0]', 'running')));
    expect(completed).toBeLessThan(at(isOf('numbers[0]', 'finished')));
    expect(receipt.failovers).toMatchObject([{ regionsRestarted: 3, tasksRestarted: 1, recoveryMs: 100 }]);
  });
});

describe('the receipt of a running job', () => {
  it('counts records read and emitted while tasks run, with start and rate', async () => {
    const environment = virtualEnvironment({ startMs: 1_000 });
    const job = Job.create('live', { mode: 'streaming' });
    job
      .source('__proto__', fromIterable(countUp))
      .filter((n) => n % 2 === 0)
      .sink('out', collect());
    const run = job.run({ environment, batchSize: 16 });
    await environment.runUntil(() => run.receipt().records.read >= 160);
    const receipt = run.receipt();
    expect(receipt).toMatchObject({ startedAtMs: 1_000, records: { reRead: 0 }, tasks: { attempts: 1 } });
    expect(Object.entries(receipt.attemptsByVertex)).toEqual([['__proto__', 1]]);
    const [[name, moved] = []] = Object.entries(receipt.movedByVertex);
    expect(name).toBe('__proto__');
    expect(moved?.recordsIn).toBe(receipt.records.read);
    expect(moved?.recordsOut).toBeGreaterThan(0);
    expect(Object.isFrozen(receipt)).toBe(true);
    await environment.drive(run.cancel());
    const { records, durationMs } = run.receipt();
    environment.advance(1_000);
    expect(run.receipt()).toMatchObject({ records, durationMs });
  });
});

describe('status', () => {
  it('goes from initializing to finished', async () => {
    const it = started(sumsJob());
    const seen = [it.run.status];
    it.run.events$.subscribe(() => {
      if (seen.at(-1) !== it.run.status) seen.push(it.run.status);
    });
    await settled(it);
    expect(seen).toEqual(['initializing', 'created', 'running', 'finished']);
  });

  it('status$: the current one at once, one snapshot per turn with a change, the end last', async () => {
    const it = started(sumsJob());
    const seen: JobSnapshot[] = [];
    let isComplete = false;
    it.run.status$.subscribe({ next: (snapshot) => seen.push(snapshot), complete: () => (isComplete = true) });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.status).toBe('initializing');
    let events = 0;
    it.run.events$.subscribe(() => events++);
    await settled(it);
    expect(isComplete).toBe(true);
    expect(seen.length).toBeLessThan(events);
    for (let index = 1; index < seen.length - 1; index++) expect(seen[index]).not.toEqual(seen[index - 1]);
    expect(seen.at(-1)).toMatchObject({ status: 'finished', restarting: false, failures: 0 });
    expect(seen.at(-1)?.tasks).toMatchObject({ finished: 4, running: 0 });
    expect(seen.at(-1)?.regions).toMatchObject({ finished: 4 });
  });

  it('status$: says that regions restart while the job runs', async () => {
    const it = started(sumsJob(), failing('sums'));
    const restarting: JobSnapshot[] = [];
    it.run.status$.subscribe((snapshot) => {
      if (snapshot.restarting) restarting.push(snapshot);
    });
    await settled(it);
    expect(restarting.length).toBeGreaterThan(0);
    for (const snapshot of restarting) expect(snapshot).toMatchObject({ status: 'running', failures: 1 });
  });

  it.each([
    ['finished', sumsJob(), faultPlan()],
    ['failed', sumsJob(), failing('sums', 9)],
  ] as const)(
    'status$: a subscriber after a job has %s gets the last snapshot and the completion',
    async (end, job, faults) => {
      const it = started(job, faults);
      await settled(it);
      for (const listener of [1, 2]) {
        const seen: unknown[] = [];
        it.run.status$.subscribe({ next: (snapshot) => seen.push(snapshot), complete: () => seen.push(listener) });
        expect(seen).toEqual([it.run.snapshot(), listener]);
      }
      expect(it.run.snapshot().status).toBe(end);
    },
  );

  it('status$: the first subscriber to a running job gets the current snapshot at once', async () => {
    const it = started(endlessJob());
    await it.environment.runUntil(() => it.run.snapshot().tasks.running > 0);
    const seen: JobSnapshot[] = [];
    it.run.status$.subscribe((snapshot) => seen.push(snapshot));
    expect(seen).toEqual([it.run.snapshot()]);
    expect(seen[0]).toMatchObject({ status: 'running', tasks: { running: 1 } });
    await it.environment.drive(it.run.cancel());
  });

  it('events$: a subscriber after the end gets the completion', async () => {
    const it = started(sumsJob());
    await settled(it);
    const seen: unknown[] = [];
    it.run.events$.subscribe({ next: (event) => seen.push(event), complete: () => seen.push('complete') });
    expect(seen).toEqual(['complete']);
    expect(await it.run.events().next()).toEqual({ done: true, value: undefined });
  });

  it('what comes after the end, of which no subscriber is told, changes no report', async () => {
    const it = started(sumsJob());
    await settled(it);
    const told = (): string => JSON.stringify([it.run.receipt(), it.run.snapshot()]);
    const before = told();
    it.run.observe({ type: 'job.statusChanged', atMs: 1_000, status: 'failed' });
    expect(told()).toBe(before);
  });
});

describe('events', () => {
  it('for await gets what events$ emits, buffered until it is consumed, and ends with the job', async () => {
    const it = started(sumsJob(), failing('sums'));
    const emitted: JobEvent[] = [];
    it.run.events$.subscribe((event) => emitted.push(event));
    const events = it.run.events();
    await settled(it);
    const taken: JobEvent[] = [];
    for await (const event of events) taken.push(event);
    expect(taken).toEqual(emitted);
    expect(taken.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['task.failed', 'failover.decided', 'failover.completed']),
    );
  });

  it('for await can be left early, and the job continues', async () => {
    const it = started(sumsJob());
    const reading = (async () => {
      for await (const event of it.run.events()) if (event.type === 'task.stateChanged') break;
    })();
    await it.environment.drive(reading);
    await settled(it);
    expect(it.run.status).toBe('finished');
  });

  it('for await after the end ends at once', async () => {
    const it = started(sumsJob());
    await settled(it);
    expect(await it.run.events().next()).toEqual({ done: true, value: undefined });
  });

  it('a listener that unsubscribes has no effect on others', async () => {
    const it = started(sumsJob());
    let heard = 0;
    const subscription = it.run.events$.subscribe(() => {
      if (++heard === 3) subscription.unsubscribe();
    });
    await settled(it);
    expect([heard, it.run.status]).toEqual([3, 'finished']);
  });
});

describe('result', () => {
  it('is the receipt', async () => {
    const it = started(sumsJob());
    const { job, receipt } = await it.environment.drive(it.run.result);
    expect(job).toBe('sums');
    expect(receipt).toMatchObject({
      job: 'sums',
      tasks: { total: 4, reRun: 0, attempts: 4 },
      attemptsByVertex: { numbers: 1, sums: 1 },
      records: { read: 200, reRead: 0 },
      failovers: [],
    });
  });

  it('tells for each failure what restarted, what was re-used, and how long it took', async () => {
    const it = started(sumsJob(), failing('sums'));
    await settled(it);
    const receipt = it.run.receipt();
    expect(receipt).toMatchObject({ tasks: { total: 4, reRun: 1, attempts: 5 }, attemptsByVertex: { sums: 2 } });
    expect(receipt.failovers).toMatchObject([
      {
        task: 'sums[0]',
        regionsRestarted: 1,
        tasksRestarted: 1,
        partitionsReused: 2,
        recordsReused: 200,
        delayMs: 100,
        recoveryMs: 100,
      },
    ]);
    expect(receipt.failovers[0]?.bytesReused).toBeGreaterThan(0);
    expect(receipt.toString()).toMatch(
      /sums\[0\] failed .*\n.*restarted 1 of 4 tasks, 100\.0 ms to running \(100 ms of it backoff\)\n/,
    );
  });

  //  numbers ══▶ sums ✗ ══▶ half     half has not begun: it neither restarts nor re-reads anything
  it('counts tasks that had begun as restarted, and their inputs as re-used', async () => {
    const job = Job.create('sums', { parallelism: 2 });
    job
      .source('numbers', range(0, 200))
      .keyBy((n) => n % 10)
      .reduce((a, b) => a + b, { uid: 'sums' })
      .rebalance()
      .map((n) => n / 2, { uid: 'half' })
      .sink('out', collect());
    const it = started(job, failing('sums'));
    await settled(it);
    const receipt = it.run.receipt();
    expect(receipt.tasks).toEqual({ total: 6, reRun: 1, attempts: 7 });
    expect(receipt.failovers).toMatchObject([
      { task: 'sums[0]', tasksRestarted: 1, regionsAgain: 0, partitionsReused: 2, recordsReused: 200 },
    ]);
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.00 kB'],
    [41_000, '41.0 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [2_300_000_000, '2.30 GB'],
    [1.5e15, '1.50 PB'],
    [1.2e18, '1200 PB'],
  ])('formats %d bytes with three digits: %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('rejects with the task and the cause if the job fails', async () => {
    const it = started(sumsJob(), failing('sums'), { restartBackoff: noRestart() });
    const error = (await settled(it)) as JobFailedError;
    expect(error).toBeInstanceOf(JobFailedError);
    expect(error).toMatchObject({ job: 'sums', task: 'sums[0]' });
    expect(error.message).toContain('sums[0]');
    expect((error.cause as Error).message).toContain('task.batch');
    expect(it.run.status).toBe('failed');
    expect(it.run.snapshot().tasks).toMatchObject({ running: 0, failed: 1 });
  });

  it('may be left unawaited: a failure does not end the process', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const it = started(sumsJob(), failing('sums'), { restartBackoff: noRestart() });
    await it.environment.runUntil(() => it.run.status === 'failed');
    await it.environment.settle();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('failures: the latest, with those merged into them', async () => {
    const it = started(sumsJob(), failing('sums', 3), { exceptionHistorySize: 2 });
    await settled(it);
    expect(it.run.failures.map(({ task }) => task)).toEqual(['sums[0]', 'sums[0]']);
  });
});

describe('cancel', () => {
  const moments: readonly (readonly [string, (started: Started) => Promise<void>])[] = [
    ['in the very tick of run()', async () => {}],
    ['before a task runs', async ({ environment, run }) => environment.runUntil(() => run.status === 'running')],
    [
      'while a task initializes',
      async ({ environment, run }) => {
        // The next message of its executor may arrive in the same turn.
        run.events$.subscribe((event) => {
          if (event.type === 'task.stateChanged' && event.state === 'initializing') void run.cancel();
        });
        await environment.runUntil(() => run.status !== 'created' && run.status !== 'running');
      },
    ],
    ['while tasks run', async ({ environment, run }) => environment.runUntil(() => run.snapshot().tasks.running > 0)],
  ];

  it.each(moments)('%s', async (_, reach) => {
    const it = started(endlessJob());
    await reach(it);
    await it.environment.drive(it.run.cancel());
    expect(it.run.status).toBe('canceled');
    await expect(it.run.result).rejects.toBeInstanceOf(JobCanceledError);
    await it.environment.settle();
  });

  it('twice is once, and after the end it has no effect', async () => {
    const it = started(endlessJob());
    await it.environment.runUntil(() => it.run.snapshot().tasks.running > 0);
    await it.environment.drive(Promise.all([it.run.cancel(), it.run.cancel()]));
    await it.run.cancel();
    expect(it.run.status).toBe('canceled');
    const finished = started(sumsJob());
    await settled(finished);
    await finished.run.cancel();
    expect(finished.run.status).toBe('finished');
  });

  it('while a failing job is ending: the last decision wins', async () => {
    const job = Job.create('endless', { mode: 'streaming', parallelism: 2 });
    job
      .source('numbers', fromIterable(countUp), { parallelism: 1 })
      .rebalance()
      .filter(() => false, { uid: 'none' })
      .sink('out', collect());
    const it = started(job, failing('none'), { restartBackoff: noRestart() });
    await it.environment.runUntil(() => it.run.status === 'failing');
    await it.environment.drive(it.run.cancel());
    expect(it.run.status).toBe('canceled');
  });

  const stops: readonly (readonly [string, 'before' | 'after', (run: JobRun, controller: AbortController) => void])[] =
    [
      ['a signal that is aborted before the start', 'before', () => {}],
      ['a signal that is aborted after the start', 'after', (_, controller) => controller.abort(new Error('enough'))],
      ['stop with a reason', 'after', (run) => void run.stop(new Error('enough'))],
      [
        'stop, and later a signal: the first one is the cause',
        'after',
        (run, controller) => {
          void run.stop(new Error('enough'));
          controller.abort(new Error('later'));
        },
      ],
    ];

  it.each(stops)('by %s', async (_, when, stop) => {
    const controller = new AbortController();
    if (when === 'before') controller.abort(new Error('enough'));
    const it = started(endlessJob(), faultPlan(), { signal: controller.signal });
    if (when === 'after') await it.environment.runUntil(() => it.run.snapshot().tasks.running > 0);
    stop(it.run, controller);
    const error = (await settled(it)) as JobCanceledError;
    expect(error).toBeInstanceOf(JobCanceledError);
    expect((error.cause as Error).message).toBe('enough');
  });

  it('by cancel: the error has no cause, also if a signal is aborted later', async () => {
    const controller = new AbortController();
    const it = started(endlessJob(), faultPlan(), { signal: controller.signal });
    await it.environment.runUntil(() => it.run.snapshot().tasks.running > 0);
    void it.run.cancel();
    controller.abort(new Error('later'));
    expect(await settled(it)).not.toHaveProperty('cause');
  });

  it('by the end of its block', async () => {
    const it = started(endlessJob());
    await it.environment.runUntil(() => it.run.snapshot().tasks.running > 0);
    await it.environment.drive(it.run[Symbol.asyncDispose]());
    expect(it.run.status).toBe('canceled');
  });
});

describe('a bug of the engine', () => {
  const started = (job: Job, change: (plane: LocalDataPlane) => void, options: JobRunOptions = {}): Started => {
    const environment = virtualEnvironment();
    const dataPlane: RunSeams['dataPlane'] = (plan, options) => {
      const plane = new LocalDataPlane(plan, options);
      change(plane);
      return plane;
    };
    return { environment, run: runJob(planJob(job), { environment, ...options }, { dataPlane }) };
  };

  it('in one of its actors fails the run, is reported, and leaves no timer behind', async () => {
    const it = started(endlessJob(), (plane) => {
      const createTask = plane.createTask.bind(plane);
      plane.createTask = (...given) => Object.assign(createTask(...given), { cancel: broken });
    });
    const seen: string[] = [];
    it.run.events$.subscribe((event) => event.type === 'job.statusChanged' && seen.push(event.status));
    await it.environment.runUntil(() => it.run.snapshot().tasks.running > 0);
    await it.environment.drive(it.run.cancel());
    await expect(it.run.result).rejects.toThrow('internal error: no picture');
    expect(seen.slice(-2)).toEqual(['canceling', 'failed']);
    expect(it.run.snapshot().status).toBe('failed');
    expect(it.environment.clock.timerCount).toBe(0);
  });

  it.each(['until-consumers-finish', 'until-job-ends'] as const)(
    'in one of its actors after the job has finished does not change the result (%s)',
    async (keepResults) => {
      const free = (plane: LocalDataPlane): void => {
        const createPartition = plane.createPartition.bind(plane);
        plane.createPartition = (...given) => Object.assign(createPartition(...given), { release: broken });
      };
      const it = started(sumsJob(), free, { keepResults });
      expect(await settled(it)).toMatchObject({
        name: 'JobFailedError',
        message: expect.stringContaining('no picture'),
      });
      expect([it.run.status, it.environment.clock.timerCount]).toEqual(['finished', 0]);
    },
  );
});

describe('storage', () => {
  it('shows the storage of results, by exchange, until they are released', async () => {
    const it = started(sumsJob());
    await it.environment.runUntil(() => it.run.snapshot().tasks.finished === 2);
    const [use, ...more] = it.run.storage();
    expect(more).toEqual([]);
    expect(use).toMatchObject({ source: 'numbers', target: 'sums', exchange: 'blocking', results: 2, records: 200 });
    expect(use?.memoryBytes).toBeGreaterThan(200);
    expect(use?.diskBytes).toBe(0);
    await settled(it);
    expect(it.run.storage()).toEqual([]);
  });

  it('shows spilled bytes', async () => {
    const it = started(sumsJob(), faultPlan(), { memoryBudgetBytes: 0 });
    await it.environment.runUntil(() => it.run.snapshot().tasks.finished === 2);
    expect(it.run.storage()[0]).toMatchObject({ memoryBytes: 0 });
    expect(it.run.storage()[0]?.diskBytes).toBeGreaterThan(200);
    await settled(it);
  });
});

describe('the logger', () => {
  const logged = async (faults: FaultPlan): Promise<string[]> => {
    const lines: string[] = [];
    const note =
      (level: string) =>
      (message: string): void =>
        void lines.push(`${level} ${message}`);
    const logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    const environment = virtualEnvironment({ faults, logger });
    const run = sumsJob().run({
      batchSize: 16,
      restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 100 }),
      environment,
    });
    await settled({ environment, run });
    return lines;
  };

  it('gets failures and the decisions about them', async () => {
    const lines = await logged(failing('sums'));
    expect(lines).toEqual([
      'info Job "sums" is initializing',
      'info Job "sums" is created',
      'info Job "sums" is running',
      expect.stringMatching(/^warn sums\[0\] failed: /),
      'info 1 task restarts in 100 ms',
      'info Everything runs again after 100 ms',
      'info Job "sums" is finished',
    ]);
  });
});

describe('inspect', () => {
  it.each<[string, NonNullable<JobRunOptions['inspect']>]>([
    ['a function', broken],
    ['an observer', { next: broken }],
  ])('%s that throws has no effect, and is reported once', async (_, inspect) => {
    const it = started(sumsJob(), faultPlan(), { inspect });
    const reported: JobEvent[] = [];
    it.run.events$.subscribe((event) => event.type === 'observer.failed' && reported.push(event));
    await settled(it);
    expect(it.run.status).toBe('finished');
    expect(reported).toMatchObject([{ observer: 'inspect', cause: { message: 'no picture' } }]);
  });

  it('may be an observer or a function', async () => {
    const watched = async (watch: (next: (event: InspectionEvent) => void) => JobRunOptions['inspect']) => {
      const types: string[] = [];
      await settled(started(sumsJob(), faultPlan(), { inspect: watch(({ type }) => types.push(type)) }));
      return types;
    };
    const byFunction = await watched((next) => next);
    expect(byFunction.length).toBeGreaterThan(100);
    expect(await watched((next) => ({ next }))).toEqual(byFunction);
    const subject = new Subject<InspectionEvent>();
    expect(await watched((next) => (subject.subscribe(next), subject))).toEqual(byFunction);
    // It may observe another run.
    expect(await watched((next) => (subject.subscribe(next), subject))).toEqual(byFunction);
  });

  it('gets actors of every kind in one system, by their path from the run', async () => {
    const seen = new Set<string>();
    const roots = new Set<string>();
    const inspect = ({ actorRef, rootId }: InspectionEvent): void => {
      roots.add(rootId);
      if ('id' in actorRef)
        seen.add(
          String(actorRef.id)
            .replace(/^[0-9a-f]{16}/, '<run>')
            .replace(/\d+/g, 'N'),
        );
    };
    await settled(started(sumsJob(), failing('sums'), { inspect }));
    expect(roots.size).toBe(1);
    // An invoked actor of a chart, such as a delay, is named after its state.
    expect([...seen].filter((id) => id.includes('/')).sort()).toEqual([
      '<run>/local-N',
      '<run>/local-N/partition/N#N',
      '<run>/local-N/task/numbers[N]#N',
      '<run>/local-N/task/sums[N]#N',
      '<run>/master',
      '<run>/master/advisors',
      '<run>/master/advisors/failoverStrategy',
      '<run>/master/advisors/restartBackoff/N',
      '<run>/master/execution/numbers[N]#N',
      '<run>/master/execution/sums[N]#N',
      '<run>/master/executor/local-N',
      '<run>/master/failover',
      '<run>/master/region/N',
    ]);
  });

  it('sees a task stop when it has ended, and a result when it is released: the system retains neither', async () => {
    const statusOf = new Map<string, string>();
    const inspect = (event: InspectionEvent): void => {
      if (event.type !== '@xstate.snapshot' || !('id' in event.actorRef)) return;
      if (/\/(task|partition)\//.test(String(event.actorRef.id)))
        statusOf.set(String(event.actorRef.id), event.snapshot.status);
    };
    await settled(started(sumsJob(), failing('sums'), { inspect }));
    // Five attempts, two of them of one task, and the results of two.
    expect([...statusOf.values()]).toEqual(Array(7).fill('stopped'));
  });
});
