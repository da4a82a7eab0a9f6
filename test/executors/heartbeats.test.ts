import {
  fixedDelay,
  forEach,
  fromAsyncIterable,
  Job,
  type JobEvent,
  type JobRun,
  type JobRunOptions,
} from '../../src/index.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { runJob, type RunSeams } from '../../src/run/run-job.ts';
import { insideOf, type RunInside } from '../../src/run/run-inside.ts';
import { resolveRunOptions } from '../../src/run/run-options.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { SwitchedLink } from '../support/switched-link.ts';

const heartbeat = { intervalMs: 100, timeoutMs: 500, failedSends: 3 };

/** Runs a job of three independent regions on two executors, one record each 50 ms, for 2 s. */
async function running(
  strike: (at: { link: SwitchedLink; after: (ms: number, act: () => void) => void }) => void = () => {},
  options: JobRunOptions = { heartbeat },
  seams: RunSeams = {},
  watch: (run: JobRun) => void = () => {},
) {
  const environment = virtualEnvironment();
  const { clock } = environment;
  const seen = new Map<string, Set<number>>();
  const job = Job.create('ticks', { parallelism: 1 });
  for (const name of ['a', 'b', 'c', 'd']) {
    const ofName = new Set<number>();
    seen.set(name, ofName);
    const ticks = async function* () {
      for (let tick = 0; tick < 40; tick++) {
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 50));
        yield tick;
      }
    };
    job.source(name, fromAsyncIterable(ticks)).sink(
      `${name}-out`,
      forEach((tick) => void ofName.add(tick)),
    );
  }
  const links: SwitchedLink[] = [];
  const run = runJob(
    planJob(job),
    { environment, executors: 2, slots: 9, restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 10 }), ...options },
    {
      link: () => {
        const link = new SwitchedLink(clock);
        links.push(link);
        return link.link;
      },
      ...seams,
    },
  );
  watch(run);
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  const after = (ms: number, act: () => void) => void clock.setTimeout(act, ms);
  after(1, () => strike({ link: links[0] as SwitchedLink, after }));
  const { receipt } = await environment.drive(run.result);
  const ofType = <Type extends JobEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<JobEvent, { type: Type }> => event.type === type);
  const isWhole = [...seen.values()].every((ticks) => ticks.size === 40);
  return { receipt, ofType, isWhole, link: links[0] as SwitchedLink, timers: clock.timerCount };
}

const lost = ({ ofType }: Awaited<ReturnType<typeof running>>) =>
  ofType('executor.lost').map(({ atMs, cause }) => `${atMs}: ${cause.message}`);

describe('the executors of a run, for observers', () => {
  it('are shown with their state, slots and tasks, and the age of their heartbeats', async () => {
    let inside: RunInside | undefined;
    const shown: unknown[] = [];
    await running(
      ({ after }) => {
        after(500, () => {
          for (const { silentMs, ...executor } of inside?.executors() ?? [])
            shown.push({ ...executor, isHeard: (silentMs as number) <= 100 });
        });
      },
      { heartbeat },
      {},
      (run) => {
        inside = insideOf(run);
      },
    );
    const registered = { state: 'registered', slots: 9, usedSlots: 2, memoryBytes: 0, diskBytes: 0, isHeard: true };
    expect(shown).toEqual([
      { executor: 'local-0', incarnation: 0, tasks: [0, 2], ...registered },
      { executor: 'local-1', incarnation: 1, tasks: [1, 3], ...registered },
    ]);
  });
});

describe('heartbeats between the master and its executors', () => {
  it('are off by default: executors of this process cost none', async () => {
    const { link } = await running(() => {}, {});
    expect([...link.sent.keys()].filter((type) => type.startsWith('heartbeat'))).toEqual([]);
    expect(link.sent.get('task.deploy')).toBe(4);
  });

  it('go both ways at each interval, and change nothing while all is well', async () => {
    const end = await running();
    const beats = end.link.sent.get('heartbeat.request') as number;
    expect(beats).toBeGreaterThan(30);
    expect(end.link.sent.get('heartbeat.report')).toBeGreaterThan(beats - 5);
    expect([lost(end), end.ofType('task.failed'), end.isWhole, end.timers]).toEqual([[], [], true, 0]);
  });

  it('a silence shorter than the timeout has no consequence', async () => {
    const end = await running(({ link, after }) => {
      link.set(0, 'holds');
      after(450, () => link.set(0, 'carries'));
    });
    expect([lost(end), end.ofType('task.failed'), end.isWhole]).toEqual([[], [], true]);
  });

  it('W8: a silent executor is lost within the timeout and two intervals; its tasks run elsewhere, and another replaces it', async () => {
    const end = await running(({ link }) => link.set(0, 'holds'));
    const [at] = lost(end);
    expect(at).toMatch(/Task executor local-0 is lost: it was not heard for 500 ms$/);
    expect(Number.parseInt(at as string)).toBeLessThanOrEqual(500 + 2 * 100);
    expect(end.ofType('task.failed').map(({ alsoFailed }) => alsoFailed?.length)).toEqual([1]);
    expect(end.ofType('executor.registered').map(({ executor }) => executor)).toEqual([
      'local-0',
      'local-1',
      'local-2',
    ]);
    expect([end.receipt.tasks.reRun > 0, end.isWhole]).toEqual([true, true]);
    const cause = 'Task executor local-0 is lost: it was not heard for 500 ms';
    expect(end.receipt.lostExecutors).toEqual([{ executor: 'local-0', cause }]);
    expect(end.receipt.toString()).toContain(`  ${cause}\n`);
  });

  it('W8: an executor that comes back late is not heard any more', async () => {
    const end = await running(
      ({ link, after }) => {
        link.set(0, 'holds');
        after(700, () => link.set(0, 'carries'));
      },
      { heartbeat },
      { lose: (kill, clock) => void clock.setTimeout(kill, 900) },
    );
    expect([lost(end).length, end.ofType('task.failed').length, end.isWhole]).toEqual([1, 1, true]);
  });

  it('an executor is unreachable after that many heartbeats in a row that could not be sent', async () => {
    const end = await running(({ link }) => link.set(0, 'fails', ['toExecutor']), {
      heartbeat: { ...heartbeat, timeoutMs: 10_000 },
    });
    expect(lost(end)).toEqual([
      expect.stringMatching(/local-0 is lost: 3 heartbeats in a row could not be sent to it$/),
    ]);
    expect(end.isWhole).toBe(true);
  });

  it('W7: a message that is not valid is an event, and has no effect; what it leaves behind is noticed and runs again', async () => {
    const end = await running(({ link, after }) => {
      link.garble = (message) =>
        (message as { type: string }).type === 'task.finished'
          ? { ...(message as object), statistics: 'none' }
          : message;
      after(2_200, () => {
        link.garble = (message) => message;
      });
    });
    const [first, ...others] = end.ofType('message.invalid');
    expect(first).toMatchObject({
      executor: expect.stringMatching(/^local-\d$/),
      receiver: 'master',
      message: 'task.finished',
      problem: 'statistics is "none", not an object',
    });
    expect(others.length).toBeGreaterThan(0);
    expect(end.ofType('task.failed').map(({ cause }) => cause.message)).toContainEqual(
      expect.stringMatching(/^Executor local-\d does not run attempt 0 of a\[0\] that it was given$/),
    );
    expect([end.isWhole, lost(end)]).toEqual([true, []]);
  });

  it('W7: an invalid command is reported by the executor, and the attempt that it was about is noticed', async () => {
    let isFirst = true;
    const end = await running(
      () => {},
      { heartbeat },
      {
        link: (clock) => {
          const link = new SwitchedLink(clock);
          link.garble = (message) => {
            if ((message as { type: string }).type !== 'task.deploy' || !isFirst) return message;
            isFirst = false;
            return { type: 'task.deploy', deployment: { vertex: -1 } };
          };
          return link.link;
        },
      },
    );
    expect(end.ofType('message.invalid')).toEqual([
      expect.objectContaining({
        receiver: 'executor',
        message: 'task.deploy',
        problem: expect.stringMatching(/^deployment\.vertex is -1/),
      }),
    ]);
    expect(end.ofType('task.failed').map(({ cause }) => cause.name)).toEqual(['AttemptVanishedError']);
    expect(end.isWhole).toBe(true);
  });

  it('without heartbeats nothing is noticed in time', async () => {
    const end = await running(({ link, after }) => {
      link.set(0, 'holds');
      after(5_000, () => link.set(0, 'carries'));
    }, {});
    expect([lost(end), end.isWhole]).toEqual([[], true]);
  });

  it.each([
    [{ intervalMs: 0 }, /heartbeat\.intervalMs/],
    [{ intervalMs: 100, timeoutMs: 199 }, /at least two intervals \(200\)/],
    [{ failedSends: 0 }, /heartbeat\.failedSends/],
    [{ intervall: 5 } as never, /intervalMs/],
  ])('the option %j is refused', (given, says) => {
    expect(() => resolveRunOptions({ heartbeat: given })).toThrow(says);
  });
});
