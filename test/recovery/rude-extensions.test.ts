import { map as rxMap } from 'rxjs';
import { emit } from 'xstate';
import {
  collect,
  type Environment,
  type FailoverRule,
  failoverStrategySetup,
  fixedDelay,
  Job,
  type JobEvent,
  type JobRun,
  type JobRunOptions,
  range,
  type RestartBackoffRule,
  restartBackoffSetup,
  restartPipelinedRegion,
} from '../../src/index.ts';
import { faultPlan, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';
import { revokedProxy, thenable, trappingProxy } from '../support/rude-values.ts';

/** Bad behavior of user code, wherever it is called. `run` is the run that calls it. */
const manners: Readonly<Record<string, (run: () => JobRun, given: unknown) => unknown>> = {
  throws: () => {
    throw new Error('rude');
  },
  'throws a value that is not an error': () => {
    throw revokedProxy();
  },
  rejects: () => Promise.reject(new Error('rude')),
  'never settles': () => new Promise(() => {}),
  'is like a promise that rejects twice': () =>
    thenable((_, no) => {
      no(new Error('rude'));
      no(new Error('rude again'));
    }),
  'is like a promise that throws': () =>
    thenable(() => {
      throw new Error('rude');
    }),
  'answers a revoked proxy': () => revokedProxy(),
  'answers a proxy that throws': () => trappingProxy(),
  'gives an invalid answer': () => ({ kind: 'invalid', regions: 7, canRestart: 'yes', delayMs: '5' }),
  'answers nothing': () => undefined,
  'changes its arguments': (_, given) => {
    for (const key of Object.keys(given as object)) (given as Record<string, unknown>)[key] = 'mine';
    return undefined;
  },
};

interface Extension {
  /** Puts `rude` in its place. */
  readonly options: (rude: (given: unknown) => unknown) => JobRunOptions;
  readonly watch?: (run: JobRun, rude: (given: unknown) => unknown) => unknown;
  /** The events that may report it. */
  readonly says: RegExp;
}

const rule = restartPipelinedRegion();
const backoff = fixedDelay({ maxAttempts: 20, delayMs: 10 });

const extensions: Readonly<Record<string, Extension>> = {
  'a listener of events$': {
    options: () => ({}),
    watch: (run, rude) => run.events$.subscribe(rude),
    says: /^observer.failed events\$$/,
  },
  'a listener of events$ behind an operator': {
    options: () => ({}),
    watch: (run, rude) => run.events$.pipe(rxMap((event) => rude(event))).subscribe((answer) => answer),
    says: /^observer.failed events\$$/,
  },
  'a listener of status$': {
    options: () => ({}),
    watch: (run, rude) => run.status$.subscribe({ next: rude, complete: () => void rude({}) }),
    says: /^observer.failed status\$$/,
  },
  'the inspector': { options: (rude) => ({ inspect: rude }), says: /^observer.failed inspect$/ },
  'a classifier': {
    options: (rude) => ({ failureClassifiers: [rude as never] }),
    says: /^failure.extensionFailed failureClassifiers\[0\]$/,
  },
  'an enricher': {
    options: (rude) => ({ failureEnrichers: [rude as never] }),
    says: /^failure.extensionFailed failureEnrichers\[0\]$/,
  },
  'a strategy': {
    options: (rude) => ({ failoverStrategy: (failure) => rude(failure) as ReturnType<FailoverRule> }),
    says: /^failover.overruled failoverStrategy$/,
  },
  'a strategy that looks at the topology': {
    options: (rude) => ({
      failoverStrategy: (failure, topology) => (rude(topology) ?? rule(failure, topology)) as ReturnType<FailoverRule>,
    }),
    says: /^failover.overruled failoverStrategy$/,
  },
  'the regions of a decision': {
    options: (rude) => ({ failoverStrategy: () => ({ kind: 'restart', regions: rude([0]) as never }) }),
    says: /^failover.overruled failoverStrategy$/,
  },
  'a strategy machine': {
    options: (rude) => ({
      failoverStrategy: failoverStrategySetup().createMachine({
        on: {
          'failover.requested': {
            actions: emit(({ event }) => ({
              type: 'failover.decided',
              failover: event.failover,
              decision: rude(event.failure) as never,
            })),
          },
        },
      }),
    }),
    says: /^failover.overruled failoverStrategy$/,
  },
  'the events of a strategy machine': {
    options: (rude) => ({
      failoverStrategy: failoverStrategySetup().createMachine({
        on: { 'failover.requested': { actions: emit(({ event }) => rude({ ...event }) as never) } },
      }),
      decisionDeadlineMs: 50,
    }),
    says: /^failover.overruled failoverStrategy$/,
  },
  'the state of a backoff': {
    options: (rude) => ({ restartBackoff: { ...backoff, onFailure: (state) => rude({ state }) as never } }),
    says: /^failover.overruled restartBackoff$/,
  },
  'the verdict of a backoff': {
    options: (rude) => ({ restartBackoff: { ...backoff, canRestart: (state) => rude({ state }) as never } }),
    says: /^failover.overruled restartBackoff$/,
  },
  'the delay of a backoff': {
    options: (rude) => ({ restartBackoff: { ...backoff, delayMs: (state) => rude({ state }) as never } }),
    says: /^failover.overruled restartBackoff$/,
  },
  'a backoff machine': {
    options: (rude) => ({
      restartBackoff: restartBackoffSetup().createMachine({
        on: {
          'backoff.requested': {
            actions: emit(({ event }) => ({
              type: 'backoff.decided',
              failover: event.failover,
              canRestart: rude(event.failure) as never,
              delayMs: 0,
              newAttempt: true,
            })),
          },
        },
      }),
    }),
    says: /^failover.overruled restartBackoff$/,
  },
};

/** Runs a job of two regions that fails twice, with the rude extension. */
async function disturbed(
  make: (rude: (given: unknown) => unknown) => Extension,
  manner: (run: () => JobRun, given: unknown) => unknown,
  environmentOf: (environment: VirtualEnvironment) => Environment = (environment) => environment,
) {
  const faults = faultPlan();
  faults.fail('task.batch', { when: ({ vertex }) => vertex === 'sums', times: 2 });
  const environment = virtualEnvironment({ faults });
  const sums = collect<number>();
  const job = Job.create('sums', { parallelism: 2 });
  job
    .source('numbers', range(0, 200))
    .keyBy((n) => n % 10)
    .reduce((a, b) => a + b, { uid: 'sums' })
    .sink('out', sums);
  const extension = make(() => undefined);
  const started: { run?: JobRun } = {};
  let calls = 0;
  const rude = (given: unknown): unknown => {
    calls++;
    return manner(() => started.run as JobRun, given);
  };
  const run = job.run({
    restartBackoff: backoff as RestartBackoffRule,
    batchSize: 16,
    ...extension.options(rude),
    environment: environmentOf(environment),
  });
  started.run = run;
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  extension.watch?.(run, rude);
  const error = await environment.drive(
    run.result.then(
      () => undefined,
      (reason: unknown) => reason as Error,
    ),
  );
  // Reports of a rejection, and unhandled rejections, come on their own turns.
  for (let turn = 0; turn < 3; turn++) {
    await environment.drive(new Promise<void>((resolve) => environment.clock.setImmediate(resolve)));
  }
  const said = events.flatMap((event) => {
    switch (event.type) {
      case 'observer.failed':
        return [`${event.type} ${event.observer}`];
      case 'failure.extensionFailed':
        return [`${event.type} ${event.extension}`];
      case 'failover.overruled':
        return [`${event.type} ${event.part}`];
      default:
        return [];
    }
  });
  return { error, said, calls, records: sums.records, timers: environment.clock.timerCount, status: run.status };
}

const right = Array.from({ length: 10 }, (_, key) => 1_900 + 20 * key);

describe.each(Object.entries(extensions))('%s', (_, extension) => {
  it.each(Object.entries(manners))('that %s affects neither job nor process', async (manner, behave) => {
    const { error, said, calls, records, timers } = await disturbed(() => extension, behave);
    expect([error, [...records].sort((a, b) => a - b), timers]).toEqual([undefined, right, 0]);
    expect(calls).toBeGreaterThan(0);
    expect(said.filter((event) => !extension.says.test(event))).toEqual([]);
    // Each decision is overruled; everything else is reported once.
    expect(said.length).toBeLessThanOrEqual(said[0]?.startsWith('failover.overruled') === true ? 2 : 1);
    if (manner === 'throws') expect(said).not.toEqual([]);
  });

  it('that cancels the run from inside ends it, whenever it is called', async () => {
    let [inside, deepest] = [0, 0];
    const { error, timers, status } = await disturbed(
      () => extension,
      (run) => {
        deepest = Math.max(deepest, ++inside);
        void run().cancel();
        inside--;
      },
    );
    expect([status, error?.name, timers]).toEqual(['canceled', 'JobCanceledError', 0]);
    // An inspector hears of the event of its call, and what actors tell each other then; but its next calls send nothing.
    expect(deepest).toBeLessThan(20);
  });
});

describe('a logger', () => {
  it.each(Object.entries(manners))('that %s affects neither job nor process', async (manner, behave) => {
    const log = (run: JobRun | undefined) => (message: string) => behave(() => run as JobRun, { message }) as void;
    const { error, said, records, timers } = await disturbed(
      () => ({ options: () => ({}), says: /./ }),
      () => undefined,
      ({ clock, random, faults, freezeRecords }) => {
        const logger = { debug: log(undefined), info: log(undefined), warn: log(undefined), error: log(undefined) };
        return { clock, random, faults, freezeRecords, logger };
      },
    );
    expect([error, [...records].sort((a, b) => a - b), timers]).toEqual([undefined, right, 0]);
    expect(new Set(said).size).toBe(said.length);
    if (/^(throws|rejects)$/.test(manner)) expect(said).toEqual(['observer.failed logger']);
  });
});

describe('a strategy machine', () => {
  it.each([
    ['never answers', () => failoverStrategySetup().createMachine({}), true],
    [
      'has ended',
      () => failoverStrategySetup().createMachine({ initial: 'over', states: { over: { type: 'final' } } }),
      true,
    ],
    [
      'throws when it is started',
      () =>
        failoverStrategySetup<{ n: number }>().createMachine({
          context: () => {
            throw new Error('rude');
          },
        }),
      true,
    ],
    [
      'answers twice',
      () => {
        const answer = emit(({ event }) => ({
          type: 'failover.decided',
          failover: (event as unknown as { failover: number }).failover,
          decision: { kind: 'restart', regions: [0, 1, 2, 3] },
        })) as never;
        return failoverStrategySetup().createMachine({ on: { 'failover.requested': { actions: [answer, answer] } } });
      },
      false,
    ],
    [
      'answers a second time, with a promise that is rejected',
      () => {
        const answer = (decision: () => unknown) =>
          emit(({ event }) => ({
            type: 'failover.decided',
            failover: (event as unknown as { failover: number }).failover,
            decision: decision(),
          })) as never;
        const right = answer(() => ({ kind: 'restart', regions: [0, 1, 2, 3] }));
        const rejected = answer(() => Promise.reject(new Error('rude')));
        return failoverStrategySetup().createMachine({ on: { 'failover.requested': { actions: [right, rejected] } } });
      },
      false,
    ],
  ] as const)('that %s blocks neither job nor process', async (_, machine, overruled) => {
    const { error, said, records, timers } = await disturbed(
      () => ({ options: () => ({ failoverStrategy: machine(), decisionDeadlineMs: 50 }), says: /./ }),
      () => undefined,
    );
    expect([error, [...records].sort((a, b) => a - b), timers]).toEqual([undefined, right, 0]);
    expect(new Set(said)).toEqual(new Set(overruled ? ['failover.overruled failoverStrategy'] : []));
  });
});
