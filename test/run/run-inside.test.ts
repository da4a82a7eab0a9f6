import type { AnyActorRef } from 'xstate';
import { whatRestartsNow } from '../../src/api/explain/live-restarts.ts';
import {
  collect,
  failoverStrategyMachine,
  Job,
  type JobEvent,
  type JobRun,
  range,
  restartAll,
} from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';

//  numbers[0..1] ─┤├▶ sums[0..1]     four regions
function sumsJob(): Job {
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', range(0, 200))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', collect());
  return job;
}

const isState =
  (task: string, state: string) =>
  (event: JobEvent): boolean =>
    event.type === 'task.stateChanged' && event.task === task && event.state === state;

/** A run of the job, and a way to stop it at an event. */
function started(options: Parameters<Job['run']>[0] = {}) {
  const environment = virtualEnvironment();
  const run = sumsJob().run({ environment, batchSize: 16, ...options });
  const until = (matches: (event: JobEvent) => boolean): Promise<void> => {
    let isReached = false;
    insideOf(run).events$.subscribe((event) => (isReached ||= matches(event)));
    return environment.runUntil(() => isReached);
  };
  return { environment, run, until };
}

describe('the inside of a run', () => {
  it('belongs to the handle of a run alone', () => {
    expect(() => insideOf({} as JobRun)).toThrow(/job\.run\(\)/);
  });

  it('lists each actor that exists, parents first', async () => {
    const { environment, run, until } = started();
    await until(isState('numbers[1]', 'running'));
    const actors = [...insideOf(run).actors()];
    const known = new Set<AnyActorRef | undefined>([undefined]);
    for (const actor of actors) {
      expect(known.has(actor._parent)).toBe(true);
      known.add(actor);
    }
    expect(known.size).toBe(actors.length + 1);
    const ids = actors.map(({ id }) => id.replace(/^[0-9a-f]{16}/, 'run'));
    expect(ids).toEqual(
      expect.arrayContaining([
        'run',
        'run/master',
        'run/master/executor/local-0',
        'run/local-0',
        'run/local-0/task/numbers[1]#0',
        'run/local-0/partition/0#0',
        'run/master/region/3',
        'run/master/execution/sums[1]#0',
      ]),
    );
    await environment.drive(run.cancel());
  });

  it('knows the attempt and the state of each task', async () => {
    const { environment, run, until } = started();
    const { taskOf } = insideOf(run);
    expect(taskOf(0 as never)).toEqual({ attempt: 0, state: undefined });
    await until(isState('numbers[0]', 'running'));
    expect([0, 2].map((vertex) => taskOf(vertex as never).state)).toEqual(['running', 'created']);
    await environment.drive(run.result);
    expect(taskOf(3 as never)).toEqual({ attempt: 0, state: 'finished' });
  });

  it('an observer that throws is reported once, and the run goes on', async () => {
    const { environment, run } = started();
    const failed: JobEvent[] = [];
    run.events$.subscribe((event) => event.type === 'observer.failed' && failed.push(event));
    let calls = 0;
    insideOf(run).inspect(() => {
      calls++;
      throw new Error('broken');
    });
    await environment.drive(run.result);
    expect(calls).toBeGreaterThan(1);
    expect(failed).toMatchObject([{ observer: 'inspector', cause: { message: 'broken' } }]);
  });

  it('stops observing when it is told to', async () => {
    const { environment, run, until } = started();
    let calls = 0;
    const stop = insideOf(run).inspect(() => calls++);
    await until(isState('numbers[0]', 'running'));
    stop();
    const before = calls;
    await environment.drive(run.result);
    expect(before).toBeGreaterThan(0);
    expect(calls).toBe(before);
  });
});

describe('what would restart now', () => {
  it('depends on the results that are complete by now', async () => {
    const { environment, run, until } = started();
    await until(isState('numbers[0]', 'running'));
    expect(whatRestartsNow(run, 'numbers[0]')).toMatchObject({ taskCount: 1, reused: [] });
    await until(isState('sums[0]', 'running'));
    expect(whatRestartsNow(run, 'sums[0]')).toMatchObject({
      kind: 'restart',
      taskCount: 1,
      waitingTaskCount: 0,
      reused: [{ source: 'numbers', target: 'sums', results: 2 }],
      why: undefined,
    });
    await environment.drive(run.result);
  });

  it('asks the rule of the run about the present attempt', async () => {
    const asked: unknown[] = [];
    const { environment, run, until } = started({
      failoverStrategy: (failure, topology) => {
        asked.push(failure.attempt);
        return { ...restartAll()(failure, topology), why: 'by my rule' };
      },
    });
    await until(isState('sums[0]', 'running'));
    expect(whatRestartsNow(run, 'sums[0]')).toMatchObject({ taskCount: 4, reused: [], why: 'by my rule' });
    expect(asked).toEqual([0]);
    await environment.drive(run.result);
  });

  it('does not ask a machine, and says so', async () => {
    const { environment, run, until } = started({ failoverStrategy: failoverStrategyMachine(restartAll()) });
    await until(isState('sums[0]', 'running'));
    expect(whatRestartsNow(run, 'sums[0]')).toMatchObject({ taskCount: 1, why: expect.stringMatching(/machine/) });
    await environment.drive(run.result);
  });
});
