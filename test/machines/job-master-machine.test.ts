import { type AnyStateMachine, assign, emit, enqueueActions } from 'xstate';
import { DeterminismBrokenError, PartitionLostError } from '../../src/errors/result-errors.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { FailoverId, PartitionId, RegionId, ResultPartitionId } from '../../src/ids.ts';
import { jobMasterMachine } from '../../src/machines/job-master/job-master-machine.ts';
import { isTerminalJobStatus, jobStatuses } from '../../src/actors/protocol/states.ts';
import {
  type FailoverStrategyEvent,
  failoverStrategyMachine,
  failoverStrategySetup,
} from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine, restartBackoffSetup } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { lackOfSlots } from '../support/lack-of-slots.ts';
import type { HeldQuestion } from '../support/hand-executors.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';
import { type RecordedActor, recorded, stateName, walks } from '../support/transition-table.ts';

const cause = new Error('boom');
const failure = { vertex: 0, attempt: 0, cause, atMs: 0, lostPartitions: [] };

const events = {
  initialize: { type: 'job.initialize' },
  start: { type: 'job.start' },
  cancel: { type: 'job.cancel' },
  suspend: { type: 'job.suspend', cause },
  globalFailure: { type: 'job.globalFailure', cause },
  taskFailed: { type: 'region.taskFailed', region: 0, vertex: 0, attempt: 0, cause },
  inexplicable: { type: 'region.inexplicable', region: 0, cause },
  taskFinished: { type: 'region.taskFinished', region: 0, vertex: 0 },
  finished: { type: 'region.finished', region: 0 },
  restarting: { type: 'region.restarting', region: 0, failover: 1, wasFinished: false },
  reopened: { type: 'region.restarting', region: 0, failover: 1, wasFinished: true },
  restarted: { type: 'region.restarted', region: 0, failover: 1 },
  quarantined: { type: 'region.quarantined', region: 0 },
  released: { type: 'region.released', region: 0 },
  recovered: { type: 'region.recovered', region: 0, failover: 1 },
  overtaken: { type: 'region.overtaken', region: 0, failover: 1 },
  halted: { type: 'region.halted', region: 0 },
  hangs: { type: 'region.cancellationTimedOut', region: 0, vertices: [0] },
  decided: {
    type: 'failover.decided',
    failover: 1,
    failure,
    regions: [0],
    again: [],
    waiting: [],
    restartAtMs: 0,
    newAttempt: true,
    why: undefined,
  },
  refused: {
    type: 'failover.refused',
    failover: 1,
    failure,
    unrecoverable: false,
    newAttempt: true,
    cause,
    why: 'enough',
  },
  overruled: { type: 'failover.overruled', failover: 1, part: 'failoverStrategy', problem: 'it threw', instead: 'all' },
  completed: { type: 'failover.completed', failover: 1, regions: [0], failedAtMs: 0 },
  registered: { type: 'executor.registered', executor: 'here', slots: 1 },
  lost: { type: 'executor.lost', executor: 'here', cause },
  tasksFailed: { type: 'executor.tasksFailed', executor: 'here', cause },
  draining: { type: 'executor.draining', executor: 'here', graceMs: 5 },
  drained: { type: 'executor.drained', executor: 'here' },
  slots: { type: 'slots.returned' },
  due: { type: 'speculation.due' },
  checkpointsFailed: { type: 'checkpoints.failed', vertices: [0], cause },
  kept: { type: 'results.kept', kept: [] },
  keepFailed: { type: 'results.keepFailed', cause },
  partitionLost: { type: 'partition.lost', id: { partition: 0, attempt: 0 }, cause },
  restartTask: { type: 'job.restartTask', vertex: 0 },
  releaseRegion: { type: 'job.releaseRegion', region: 0 },
  skipBackoff: { type: 'job.skipBackoff', region: 0 },
  failTask: { type: 'job.failTask', vertex: 0, cause },
  slowTask: { type: 'job.slowTask', vertex: 0, delayMs: 5 },
  losePartition: { type: 'job.losePartition', partition: 0, cause },
} as const;

type EventName = keyof typeof events;

const provided = [
  'recordState',
  'createRegions',
  'startScheduling',
  'scheduleConsumers',
  'rescheduleRegion',
  'grantSlots',
  'withdrawRequest',
  'addExecutor',
  'removeExecutor',
  'retireExecutor',
  'noteDrained',
  'failIfSomeNeverFit',
  'openFailover',
  'beginLoss',
  'openFailoverOfLoss',
  'restartRegions',
  'settleRegion',
  'completeFailover',
  'refuseFailover',
  'reportOverruled',
  'losePartition',
  'stopAdvisors',
  'releaseConsumed',
  'releaseReproduced',
  'stopReleasing',
  'stopSpeculating',
  'speculate',
  'restartComponent',
  'keepResults',
  'reportUnkept',
  'cancelRegions',
  'suspendRegions',
  'abandonHangingTasks',
  'restartOnRequest',
  'releaseRegion',
  'skipBackoff',
  'failTask',
  'slowTask',
];

const reach: Record<string, readonly EventName[]> = {
  created: [],
  'running.undisturbed': ['start'],
  'running.restarting': ['start', 'restarting'],
  'running.keeping': ['start', 'finished', 'finished'],
  'failing.halting': ['start', 'refused'],
  'failing.keeping': ['start', 'finished', 'finished', 'globalFailure'],
  failed: ['start', 'refused', 'halted', 'halted'],
  'canceling.halting': ['start', 'cancel'],
  'canceling.keeping': ['start', 'finished', 'finished', 'cancel'],
  canceled: ['start', 'cancel', 'halted', 'halted'],
  finished: ['start', 'finished', 'finished', 'kept'],
  incomplete: ['start', 'finished', 'restarting', 'quarantined'],
  suspended: ['start', 'suspend'],
};

/** Where an event leads from a status, for a job of two regions. Other events have no effect. */
const leads: Record<string, Partial<Record<EventName, string>>> = {
  created: {
    start: 'running.undisturbed',
    cancel: 'canceling.halting',
    suspend: 'suspended',
    globalFailure: 'failing.halting',
  },
  'running.undisturbed': {
    cancel: 'canceling.halting',
    suspend: 'suspended',
    restarting: 'running.restarting',
    reopened: 'running.restarting',
    // Not without the report that it is quarantined.
    released: 'running.restarting',
    refused: 'failing.halting',
  },
  'running.restarting': {
    cancel: 'canceling.halting',
    suspend: 'suspended',
    restarted: 'running.undisturbed',
    quarantined: 'running.undisturbed',
    refused: 'failing.halting',
  },
  'running.keeping': {
    cancel: 'canceling.keeping',
    suspend: 'suspended',
    globalFailure: 'failing.keeping',
    inexplicable: 'failing.keeping',
    refused: 'failing.keeping',
    kept: 'finished',
    keepFailed: 'failed',
  },
  'failing.halting': { cancel: 'canceling.halting', suspend: 'suspended' },
  'failing.keeping': { cancel: 'canceling.keeping', suspend: 'suspended', kept: 'failed', keepFailed: 'failed' },
  'canceling.halting': { globalFailure: 'failing.halting', suspend: 'suspended' },
  'canceling.keeping': {
    globalFailure: 'failing.keeping',
    suspend: 'suspended',
    kept: 'canceled',
    keepFailed: 'canceled',
  },
  failed: {},
  canceled: {},
  finished: {},
  incomplete: {},
  suspended: {},
};

/** The input of a job of two regions, one of which is quarantined once that is reported. */
const inputOfTwo = {
  regionCount: 2,
  keepsResults: true,
  decisions: { stoppedCount: 1 },
  turns: { waitingCount: 0, absentCount: 1 },
};

/** A job of two regions whose results outlive it. */
const jobOfTwo = ({ keepsResults = true, isStarted = true } = {}): RecordedActor =>
  recorded(jobMasterMachine as AnyStateMachine, provided, () => ({ ...inputOfTwo, keepsResults }), { isStarted });
const stateOf = ({ actor }: RecordedActor): string => stateName(actor.getSnapshot().value);

describe('job master machine', () => {
  it('the table has every status in which it rests, and every event', () => {
    const statuses = new Set(Object.keys(reach).map((state) => state.split('.')[0]));
    expect(statuses).toEqual(new Set(jobStatuses.filter((status) => status !== 'initializing')));
    expect(Object.keys(leads)).toEqual(expect.arrayContaining(Object.keys(reach)));
    const types = new Set<string>(Object.values(events).map(({ type }) => type));
    expect([...(jobMasterMachine as AnyStateMachine).events].filter((type) => !types.has(type))).toEqual([]);
  });

  const cases = Object.keys(reach).flatMap((state) =>
    (Object.keys(events) as EventName[]).map((name) => ({ state, name, expected: leads[state]?.[name] ?? state })),
  );
  it.each(cases)('$state on $name: $expected', ({ state, name, expected }) => {
    const it = jobOfTwo();
    for (const step of reach[state] as readonly EventName[]) it.actor.send(events[step]);
    expect(stateOf(it)).toBe(state);
    it.actor.send(events[name]);
    expect(stateOf(it)).toBe(expected);
  });

  it.each([
    ['cancel', 'canceled'],
    ['suspend', 'suspended'],
    ['globalFailure', 'failed'],
  ] as const)('%s before it is started: %s, and no region is created', (name, status) => {
    const it = jobOfTwo({ isStarted: false });
    it.actor.send(events[name]);
    it.actor.start();
    expect(stateOf(it)).toBe(status);
    expect(it.take()).not.toContain('createRegions');
  });

  it('J3: the last explicit decision wins', () => {
    const it = jobOfTwo();
    for (const name of ['start', 'refused', 'cancel', 'globalFailure', 'cancel', 'halted', 'halted'] as const) {
      it.actor.send(events[name]);
    }
    expect(stateOf(it)).toBe('canceled');
  });

  it('J2: a finished region that is reopened must finish again', () => {
    const it = jobOfTwo();
    for (const name of ['start', 'finished', 'reopened', 'finished', 'restarted'] as const) it.actor.send(events[name]);
    expect(stateOf(it)).toBe('running.undisturbed');
    it.actor.send(events.finished);
    expect(stateOf(it)).toBe('running.keeping');
  });

  it('J2: without results to keep it is finished with its last region', () => {
    const it = jobOfTwo({ keepsResults: false });
    for (const name of ['start', 'finished', 'finished'] as const) it.actor.send(events[name]);
    expect(stateOf(it)).toBe('finished');
    expect(it.take()).not.toContain('keepResults');
  });

  it('J6: a restart asked for while its results are being kept has no effect, nor is a result lost', () => {
    const it = jobOfTwo();
    it.actor.send(events.start);
    it.take();
    it.actor.send(events.restartTask);
    it.actor.send(events.losePartition);
    expect(it.take()).toEqual(['restartOnRequest', 'losePartition']);
    for (const name of ['finished', 'finished'] as const) it.actor.send(events[name]);
    it.take();
    it.actor.send(events.restartTask);
    it.actor.send(events.losePartition);
    expect(it.take()).toEqual([]);
  });

  it('J6: it is finished when its results are kept, and names them', () => {
    const it = jobOfTwo();
    for (const name of ['start', 'finished', 'finished'] as const) it.actor.send(events[name]);
    expect(it.take()).toEqual(expect.arrayContaining(['keepResults']));
    const kept = [{ source: 'a', target: 'b', directory: 'd', records: 1, bytes: 1 }];
    it.actor.send({ type: 'results.kept', kept });
    expect(it.actor.getSnapshot().context).toMatchObject({ kept });
    expect(it.take()).toEqual(['recordState finished', 'stopAdvisors', 'stopReleasing', 'stopSpeculating']);
  });

  it('J6: it fails if they cannot be kept, and says why', () => {
    const it = jobOfTwo();
    for (const name of ['start', 'finished', 'finished'] as const) it.actor.send(events[name]);
    it.take();
    it.actor.send(events.keepFailed);
    expect(it.actor.getSnapshot().context.failure).toEqual({
      cause,
      vertex: undefined,
      why: 'its results could not be kept',
    });
    expect(it.take()).toEqual([
      'reportUnkept',
      'recordState failing',
      'cancelRegions',
      'recordState failed',
      'stopAdvisors',
      'stopReleasing',
      'stopSpeculating',
    ]);
  });

  it.each<{ told: readonly EventName[]; waits: string; ends: string }>([
    { told: ['cancel'], waits: 'canceling.keeping', ends: 'canceled' },
    { told: ['globalFailure'], waits: 'failing.keeping', ends: 'failed' },
    { told: ['inexplicable'], waits: 'failing.keeping', ends: 'failed' },
    { told: ['cancel', 'globalFailure'], waits: 'failing.keeping', ends: 'failed' },
    { told: ['globalFailure', 'cancel'], waits: 'canceling.keeping', ends: 'canceled' },
  ])('J6: told $told while results are being kept, it waits for them in $waits; then: $ends', (story) => {
    for (const outcome of ['kept', 'keepFailed'] as const) {
      const it = jobOfTwo();
      for (const name of ['start', 'finished', 'finished', ...story.told] as const) it.actor.send(events[name]);
      expect(stateOf(it)).toBe(story.waits);
      it.actor.send(events[outcome]);
      expect(stateOf(it)).toBe(story.ends);
    }
  });

  it('J4, J6: suspended, it does not wait, not even for results being kept', () => {
    const it = jobOfTwo();
    for (const name of ['start', 'finished', 'finished', 'suspend'] as const) it.actor.send(events[name]);
    expect(stateOf(it)).toBe('suspended');
    it.take();
    it.actor.send(events.kept);
    expect(it.take()).toEqual([]);
    expect(stateOf(it)).toBe('suspended');
  });

  it.each(['failed', 'canceled', 'finished', 'incomplete', 'suspended'] as const)(
    '%s, it ends strategy and backoffs',
    (status) => {
      const it = jobOfTwo();
      for (const name of reach[status] as readonly EventName[]) it.actor.send(events[name]);
      expect(it.take().filter((entry) => entry === 'stopAdvisors' || entry === `recordState ${status}`)).toEqual([
        `recordState ${status}`,
        'stopAdvisors',
      ]);
    },
  );

  it.each([
    ['refused', 'failing.halting', 'failed'],
    ['cancel', 'canceling.halting', 'canceled'],
  ] as const)('J4: on %s it waits for a region that had finished and was about to restart', (end, waits, status) => {
    const it = jobOfTwo();
    for (const name of ['start', 'finished', end, 'reopened', 'halted'] as const) it.actor.send(events[name]);
    expect(stateOf(it)).toBe(waits);
    it.actor.send(events.halted);
    expect(stateOf(it)).toBe(status);
  });

  it('J3: canceled while failing, it has not failed', () => {
    const it = jobOfTwo();
    for (const name of ['start', 'refused'] as const) it.actor.send(events[name]);
    expect(it.actor.getSnapshot().context.failure).toMatchObject({ cause, why: 'enough' });
    it.actor.send(events.cancel);
    expect(it.actor.getSnapshot().context.failure).toBeUndefined();
  });

  it('tells which task, and where in it, had the failure that ended the job', () => {
    const place = { operator: 'parse', record: { position: 'a.jsonl:7', picture: '{}' } };
    const it = jobOfTwo();
    for (const event of [events.start, { ...events.refused, failure: { ...failure, place } }]) it.actor.send(event);
    expect(it.actor.getSnapshot().context.failure).toEqual({ cause, vertex: 0, place, why: 'enough' });
  });

  it('J4: every reachable path ends in the expected status when a live master replays it, and no terminal status is left', () => {
    const paths = walks(jobMasterMachine as AnyStateMachine, Object.values(events), inputOfTwo, (snapshot) => {
      const { finishedCount, restartingCount, haltedCount } = snapshot.context;
      const bounded = [finishedCount, restartingCount, haltedCount].map((count) => Math.max(-1, Math.min(count, 2)));
      return [stateName(snapshot.value), ...bounded].join();
    });
    expect(new Set(paths.map((path) => path.state))).toEqual(new Set(['initializing', ...Object.keys(reach)]));
    for (const path of paths) {
      // It initializes itself when it starts; earlier events are sent before that.
      if (path.state === 'initializing') continue;
      const it = jobOfTwo({ isStarted: false });
      if (path.events[0]?.type === 'job.initialize') it.actor.start();
      let ended: string | undefined;
      for (const event of path.events) {
        it.actor.send(event);
        if (event === path.events.at(-1)) it.actor.start();
        ended ??= isTerminalJobStatus(stateOf(it) as never) ? stateOf(it) : undefined;
      }
      expect(stateOf(it)).toBe(path.state);
      if (ended !== undefined) expect(stateOf(it)).toBe(ended);
    }
  });
});

describe('job master', () => {
  it('J6: keeps results once every task has finished; the job is running until they are kept', () => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'a', parallelism: 1 },
        { id: 'b', parallelism: 1 },
      ],
      edges: [{ from: 'a', to: 'b', exchange: exchangeTypes.blocking }],
      keepResults: { directory: 'kept' },
    }).start();
    cluster.executors.answering = ({ type }) => (type === 'results.promote' ? 'later' : undefined);
    for (const task of ['a[0]', 'b[0]']) {
      expect(cluster.executors.held).toEqual([]);
      cluster.runAll();
      cluster.report(task, 'finished');
    }
    expect(cluster.status).toBe('running');
    expect(cluster.released).toEqual([]);
    cluster.executors.held[0]?.answer({ type: 'results.promotionFailed', cause: toPlainError(cause) });
    expect(cluster.status).toBe('failed');
    expect(cluster.events.filter(({ type }) => type === 'results.keepFailed')).toEqual([
      { type: 'results.keepFailed', atMs: 0, cause },
    ]);
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it('J2: is finished when every task is', () => {
    const cluster = new ManualCluster({ vertices: [{ id: 'v', parallelism: 2 }] }).start();
    expect(cluster.deployed).toEqual(['v[0]', 'v[1]']);
    cluster.runAll();
    cluster.report('v[0]', 'finished');
    expect(cluster.status).toBe('running');
    cluster.report('v[1]', 'finished');
    expect(cluster.status).toBe('finished');
    expect(cluster.clock.pendingCount).toBe(0);
  });

  //  (a) ─▶ (b)     two pipelines; one breaks
  it('J5: a failure is recorded when it happens, before the strategy is asked', () => {
    const decide = restartPipelinedRegion();
    const knownWhenAsked: unknown[] = [];
    const cluster: ManualCluster = new ManualCluster({
      vertices: [{ id: 'a', parallelism: 2 }],
      failoverStrategy: failoverStrategyMachine((given, topology) => {
        knownWhenAsked.push(cluster.events.filter(({ type }) => type === 'task.failed').length);
        return decide(given, topology);
      }),
    }).start();
    cluster.runAll();
    const kinds = (): string[] =>
      cluster.events
        .map((event) => `${event.type} at ${event.atMs}`)
        .filter((told) => /^(task|failover)\.(failed|decided)/.test(told));
    cluster.fail('a[0]');
    cluster.clock.advance(7);
    cluster.fail('a[1]');
    expect(knownWhenAsked).toEqual([1, 2]);
    expect(kinds()).toEqual(['task.failed at 0', 'failover.decided at 0', 'task.failed at 7', 'failover.decided at 7']);
  });

  it('J1: restarts one pipeline, the job stays running, the other pipeline is not affected', () => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'a', parallelism: 2 },
        { id: 'b', parallelism: 2 },
      ],
      edges: [{ from: 'a', to: 'b' }],
    }).start();
    cluster.runAll();
    cluster.fail('b[1]');
    expect(cluster.status).toBe('running');
    expect(cluster.isRestarting).toBe(true);
    expect(cluster.stateOf('a[1]')).toBe('canceling');
    expect(cluster.stateOf('a[0]')).toBe('running');
    cluster.clock.advance(1_000);
    expect(cluster.attemptOf('a[1]')).toBe(0);
    cluster.report('a[1]', 'canceled');
    expect(cluster.isRestarting).toBe(false);
    expect(cluster.attemptOf('a[1]')).toBe(1);
    expect(cluster.deployed.slice(4)).toEqual(['a[1]', 'b[1]']);
    cluster.runAll();
    for (const task of cluster.tasks) cluster.report(task, 'finished');
    expect(cluster.status).toBe('finished');
    expect(cluster.events.filter((event) => event.type === 'failover.completed')).toHaveLength(1);
    expect(cluster.clock.pendingCount).toBe(0);
  });

  it('schedules consumers of a blocking exchange when the last producer finished, and again after their own failure alone', () => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'p', parallelism: 2 },
        { id: 'c', parallelism: 2 },
      ],
      edges: [{ from: 'p', to: 'c', exchange: exchangeTypes.blocking, pattern: 'all-to-all' }],
    }).start();
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    expect(cluster.deployed).toEqual(['p[0]', 'p[1]']);
    cluster.report('p[1]', 'finished');
    expect(cluster.deployed).toEqual(['p[0]', 'p[1]', 'c[0]', 'c[1]']);
    cluster.runAll();
    cluster.fail('c[0]');
    cluster.clock.advance(100);
    expect(cluster.deployed.slice(4)).toEqual(['c[0]']);
    cluster.runAll();
    cluster.report('c[0]', 'finished');
    cluster.report('c[1]', 'finished');
    expect(cluster.status).toBe('finished');
  });
});

describe('the number of allowed restarts', () => {
  /** One restart per backoff; which of these consecutive failures fails the job. */
  const refusedAt = (backoffScope: 'region' | 'job', failures: readonly ('a' | 'b' | 'job')[]): number => {
    const seen = new Set<string>();
    const cluster = new ManualCluster({
      vertices: [
        { id: 'a', parallelism: 1 },
        { id: 'b', parallelism: 1 },
      ],
      backoffScope,
      restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: 1, delayMs: 10 })),
      inspect: ({ actorRef }) => {
        if ('id' in actorRef) seen.add(String(actorRef.id));
      },
    }).start();
    for (const [index, failed] of failures.entries()) {
      cluster.runAll();
      if (failed === 'job') cluster.tell({ type: 'job.globalFailure', cause });
      else cluster.fail(`${failed}[0]`);
      for (const task of cluster.tasks) if (cluster.stateOf(task) === 'canceling') cluster.report(task, 'canceled');
      cluster.clock.advance(10);
      if (cluster.status !== 'running') {
        expect(seen).toContain(
          failed === 'job' || backoffScope === 'job'
            ? 'test/master/advisors/restartBackoff/job'
            : `test/master/advisors/restartBackoff/${cluster.regionOf(`${failed}[0]`)}`,
        );
        return index;
      }
    }
    return Number.POSITIVE_INFINITY;
  };

  it.each<['region' | 'job', readonly ('a' | 'b' | 'job')[], number]>([
    ['region', ['a', 'b', 'job'], Number.POSITIVE_INFINITY],
    ['region', ['job', 'a', 'b'], Number.POSITIVE_INFINITY],
    ['region', ['job', 'job'], 1],
    ['region', ['a', 'a'], 1],
    ['job', ['a', 'b'], 1],
    ['job', ['a', 'job'], 1],
    ['job', ['job', 'b'], 1],
  ])('per %s: of the failures %j, number %d is too many', (scope, failures, refused) => {
    expect(refusedAt(scope, failures)).toBe(refused);
  });
});

//  (p) ═▶ (c)      p has finished, and c reads its result
function readingCluster(options: Partial<ManualClusterOptions> = {}): ManualCluster {
  const cluster = new ManualCluster({
    vertices: ['p', 'c'].map((id) => ({ id, parallelism: 1 })),
    edges: [{ from: 'p', to: 'c', exchange: exchangeTypes.blocking }],
    ...options,
  }).start();
  cluster.runAll();
  cluster.report('p[0]', 'finished');
  cluster.runAll();
  return cluster;
}

describe('a result that is verified before a restart', () => {
  // c[0] fails, and while the result of p is looked at, its next attempt begins.
  it.each<[string, boolean]>([
    ['is lost if it is missing', true],
    ['is not lost if the verified attempt is no longer current: the missing result was released', false],
  ])('%s', (_, isPresent) => {
    const cluster = readingCluster();
    const { executors } = cluster;
    executors.answering = ({ type }) => (type === 'results.verify' ? 'later' : undefined);
    cluster.fail('c[0]');
    const [{ question, answer }] = executors.held as [HeldQuestion];
    if (!isPresent) {
      // Meanwhile the whole job fails: every region restarts with new results.
      executors.answering = () => undefined;
      cluster.tell({ type: 'job.globalFailure', cause });
      cluster.clock.advance(100);
      cluster.runAll();
      cluster.report('p[0]', 'finished');
    }
    const ids = question.type === 'results.verify' ? question.ids : [];
    answer({ type: 'results.verified', lost: ids.map((id) => ({ id, cause: toPlainError(cause) })), found: [] });
    expect(cluster.events.filter(({ type }) => type === 'partition.lost')).toHaveLength(isPresent ? 1 : 0);
  });
});

describe('a failover that has ended', () => {
  const lateMs = 5_000;
  const keepFailover = assign({
    failover: ({ event }: { event: { readonly failover: FailoverId } }) => event.failover,
  });

  const strategy = failoverStrategySetup<{ failover: FailoverId }>().createMachine({
    context: { failover: 0 as FailoverId },
    on: { 'failover.requested': { target: '.asked', actions: keepFailover as never } },
    initial: 'idle',
    states: {
      idle: {},
      asked: {
        after: {
          [lateMs]: {
            target: 'idle',
            actions: emit(({ context: { failover } }) => ({
              type: 'failover.decided' as const,
              failover,
              decision: { kind: 'restart', regions: [0 as RegionId] } as const,
            })),
          },
        },
      },
    },
  });

  const backoff = restartBackoffSetup<{ failover: FailoverId }>().createMachine({
    context: { failover: 0 as FailoverId },
    on: { 'backoff.requested': { target: '.asked', actions: keepFailover as never } },
    initial: 'idle',
    states: {
      idle: {},
      asked: {
        after: {
          [lateMs]: {
            target: 'idle',
            actions: emit(({ context: { failover } }) => ({
              type: 'backoff.decided' as const,
              failover,
              canRestart: true,
              delayMs: 0,
              newAttempt: true,
            })),
          },
        },
      },
    },
  });

  it.each<[string, Partial<ManualClusterOptions>]>([
    ['the executors about results', {}],
    ['the strategy', { failoverStrategy: strategy }],
    ['the backoff', { restartBackoff: backoff }],
  ])('hears no late answer of %s', (_, options) => {
    const cluster = readingCluster(options);
    cluster.executors.answering = ({ type }) => (type === 'results.verify' ? 'later' : undefined);
    cluster.fail('c[0]');
    for (const elapsedMs of [1_000, 1_000, 200]) cluster.clock.advance(elapsedMs);
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    const seen = cluster.events.map(({ type }) => type);
    expect(seen.filter((type) => type === 'failover.completed')).toHaveLength(1);
    for (const { answer } of cluster.executors.held) answer();
    cluster.clock.advance(lateMs);
    expect(cluster.events.map(({ type }) => type)).toEqual(seen);
  });
});

describe('a failover strategy', () => {
  const restarting = (note: (event: FailoverStrategyEvent) => void) =>
    failoverStrategySetup().createMachine({
      context: {},
      on: {
        '*': { actions: ({ event }) => note(event) },
        'failover.requested': {
          actions: [
            ({ event }) => note(event),
            emit(({ event: { failover, failure, topology } }) => ({
              type: 'failover.decided',
              failover,
              decision: restartPipelinedRegion()(failure, topology),
            })),
          ],
        },
      },
    });
  const twoOf = (note: (event: FailoverStrategyEvent) => void) =>
    new ManualCluster({
      vertices: [{ id: 'a', parallelism: 2 }],
      failoverStrategy: restarting(note),
    }).start();

  it('is notified when its failover is over: the regions run again', () => {
    const heard: FailoverStrategyEvent[] = [];
    const cluster = twoOf((event) => heard.push(event));
    cluster.runAll();
    cluster.fail('a[1]');
    cluster.clock.advance(100);
    expect(heard.map(({ type }) => type)).toEqual(['failover.requested']);
    cluster.runAll();
    expect(heard.at(-1)).toEqual({ type: 'failover.completed', failover: 1, regions: [cluster.regionOf('a[1]')] });
  });

  it('may decide two failures at once: each region restarts for both, and is scheduled once, for the later one', () => {
    // Both decisions come while the second region still reports its failure, so its commands wait.
    const both = failoverStrategySetup<{ first: FailoverId | undefined }>();
    const everything = { kind: 'restart', regions: [0, 1, 2] as RegionId[] } as const;
    const cluster = new ManualCluster({
      vertices: [
        { id: 'p', parallelism: 1 },
        { id: 'c', parallelism: 2 },
      ],
      edges: [{ from: 'p', to: 'c', exchange: exchangeTypes.blocking, pattern: 'all-to-all' }],
      restartBackoff: restartBackoffMachine(fixedDelay({ maxAttempts: 10, delayMs: 0 })),
      failoverStrategy: both.createMachine({
        context: { first: undefined },
        on: {
          'failover.requested': {
            actions: enqueueActions(({ context: { first }, event: { failover }, enqueue }) => {
              if (first === undefined) return enqueue.assign({ first: failover });
              for (const decided of [first, failover]) {
                enqueue.emit({ type: 'failover.decided', failover: decided, decision: everything });
              }
            }),
          },
        },
      }),
    }).start();
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    cluster.fail('c[0]');
    cluster.fail('c[1]');
    cluster.clock.advance(1_000);
    expect(cluster.status).toBe('running');
    expect(cluster.tasks.map((task) => cluster.stateOf(task))).toEqual(['deploying', 'created', 'created']);
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    for (const task of ['c[0]', 'c[1]']) cluster.report(task, 'finished');
    expect(cluster.status).toBe('finished');
    expect(cluster.events.filter(({ type }) => type === 'failover.completed')).toHaveLength(2);
  });

  it('causes no harm by changing its arguments', () => {
    const cluster = twoOf((event) => {
      if (event.type === 'failover.requested') event.topology.regions.verticesOf(1 as RegionId).fill(0);
    });
    cluster.runAll();
    cluster.fail('a[1]');
    cluster.clock.advance(100);
    cluster.runAll();
    expect(cluster.deployed).toEqual(['a[0]', 'a[1]', 'a[1]']);
  });
});

describe('the verification before a restart', () => {
  it('skips results of restarting regions, which are recomputed', () => {
    const cluster = new ManualCluster({
      vertices: ['p', 'c', 'q', 'd'].map((id) => ({ id, parallelism: 1 })),
      edges: [
        { from: 'p', to: 'c', exchange: exchangeTypes.blocking },
        { from: 'q', to: 'd', exchange: exchangeTypes.blocking },
      ],
      failoverStrategy: failoverStrategyMachine(restartAll()),
    }).start();
    cluster.runAll();
    for (const producer of ['p[0]', 'q[0]']) cluster.report(producer, 'finished');
    cluster.runAll();
    cluster.fail('c[0]');
    expect(cluster.tasks.map((task) => cluster.regionStateOf(task))).toEqual(Array(4).fill('restarting'));
    // The smallest restart would read it; the strategy's restart does not.
    expect(cluster.executors.verified).toEqual(['p[0]']);
  });
});

describe('the result of a failed task', () => {
  //  (p) ═▶ (c)     (x)
  const pipeline = (
    exchange: ExchangeType,
    options: Partial<ManualClusterOptions> & { deterministic?: boolean } = {},
  ) => {
    const { deterministic = true, ...rest } = options;
    const cluster = new ManualCluster({
      vertices: [{ id: 'p', parallelism: 1, deterministic }, ...['c', 'x'].map((id) => ({ id, parallelism: 1 }))],
      edges: [{ from: 'p', to: 'c', exchange }],
      ...rest,
    }).start();
    cluster.runAll();
    return cluster;
  };
  const resultOf = (cluster: ManualCluster): ResultPartitionId =>
    cluster.ledger.presentResult(cluster.ledger.graph.partitionsOf(cluster.vertex('p[0]'))[0] as PartitionId);

  it.each<{ why: string; causeOf: (id: ResultPartitionId) => Error; regions: string[]; again: string[] }>([
    { why: 'any failure', causeOf: () => cause, regions: ['p[0]'], again: ['p[0]'] },
    {
      why: 'a broken declaration',
      causeOf: (id) => new DeterminismBrokenError(id, 0, 3, 'other records'),
      regions: ['p[0]', 'c[0]'],
      again: [],
    },
    {
      why: 'no slots beside its readers',
      causeOf: () => lackOfSlots(1, 0, 'got none'),
      regions: ['p[0]', 'c[0]'],
      again: [],
    },
  ])('is recomputed after $why by $again, of $regions', ({ causeOf, regions, again }) => {
    const cluster = pipeline(exchangeTypes.reliable);
    cluster.fail('p[0]', causeOf(resultOf(cluster)));
    const decided = cluster.events.find((event) => event.type === 'failover.decided');
    expect(new Set(decided?.regions)).toEqual(new Set(regions.map((task) => cluster.regionOf(task))));
    expect(decided?.again).toEqual(again.map((task) => cluster.regionOf(task)));
  });

  it.each([
    { deterministic: true, released: 0 },
    { deterministic: false, released: 1 },
  ])('is retained for comparison if it may be reproduced: $deterministic', ({ deterministic, released }) => {
    const cluster = pipeline(exchangeTypes.blocking, { deterministic });
    cluster.fail('p[0]');
    expect(cluster.released).toEqual(Array(released).fill(resultOf(cluster)));
  });

  it.each([
    { deterministic: true, released: 0 },
    { deterministic: false, released: 1 },
  ])('is released with its restart unless it is reproduced: $deterministic', ({ deterministic, released }) => {
    const cluster = pipeline(exchangeTypes.reliable, { deterministic });
    const before = resultOf(cluster);
    cluster.fail('p[0]');
    if (!deterministic) cluster.report('c[0]', 'canceled');
    cluster.clock.advance(100);
    expect(cluster.attemptOf('p[0]')).toBe(1);
    expect(cluster.released).toEqual(Array(released).fill(before));
  });

  it('is reported without the labels of a failing enricher, which is reported once', () => {
    const enricher = () => {
      throw new Error('no labels today');
    };
    const cluster = pipeline(exchangeTypes.reliable, { enrichers: [enricher] });
    for (const task of ['p[0]', 'x[0]']) cluster.fail(task);
    const failed = cluster.events.filter((event) => event.type === 'task.failed');
    expect(failed.map(({ labels }) => labels)).toEqual([{}, {}]);
    expect(cluster.events.filter(({ type }) => type === 'failure.extensionFailed')).toHaveLength(1);
  });
});

describe('a request that executors cannot fulfil', () => {
  const shuffle = (parallelism: number, options: Partial<ManualClusterOptions> = {}) =>
    new ManualCluster({
      vertices: ['a', 'b'].map((id) => ({ id, parallelism })),
      edges: [{ from: 'a', to: 'b', pattern: 'all-to-all' }],
      ...options,
    });
  const failureOf = ({ master }: ManualCluster): string | undefined =>
    master.getSnapshot().context.failure?.cause.message;

  it.each([
    { parallelism: 2, named: /: a\[0\], a\[1\], b\[0\], b\[1\] run at the same time/ },
    { parallelism: 3, named: /: a\[0\], a\[1\], a\[2\], b\[0\] and 2 more run at the same time/ },
  ])('a region with more tasks than slots: the first tasks are named, of two times $parallelism', (given) => {
    const cluster = shuffle(given.parallelism);
    cluster.slotLimit = 3;
    cluster.start();
    expect([cluster.status, failureOf(cluster)]).toEqual(['failed', expect.stringMatching(given.named)]);
  });

  it('a restart of a region that no longer fits: the job fails instead of waiting', () => {
    const cluster = shuffle(1).start();
    cluster.runAll();
    cluster.slotLimit = 1;
    cluster.fail('a[0]');
    cluster.report('b[0]', 'canceled');
    cluster.clock.advance(100);
    expect([cluster.status, failureOf(cluster)]).toEqual(['failed', expect.stringMatching(/needs 2 slots, 1 is/)]);
  });

  it("the registration of a region's results: its first task has failed", () => {
    const posting = ({ type }: { type: string }, post: () => void): void => {
      if (type === 'results.register') throw cause;
      post();
    };
    const cluster = shuffle(1, { posting }).start();
    expect(cluster.events.filter((event) => event.type === 'task.failed')).toMatchObject([{ task: 'a[0]', cause }]);
  });

  it('cancellation without an executor: every task of a canceled job ends', () => {
    const cluster = shuffle(2).start();
    cluster.runAll();
    cluster.tell({ type: 'job.cancel' });
    expect(cluster.canceled).toEqual(cluster.tasks);
  });
});

describe('a result that is reproduced', () => {
  //  (p) ═▶ (c)
  //   ╚═══▶ (d) ─▶ (e)     (x)     two slots, one used by x: d and e need both
  const fork = () =>
    new ManualCluster({
      vertices: [
        { id: 'p', parallelism: 1, deterministic: true },
        { id: 'c', parallelism: 1 },
        { id: 'd', parallelism: 1 },
        { id: 'e', parallelism: 1 },
        { id: 'x', parallelism: 1 },
      ],
      edges: [
        { from: 'p', to: 'c', exchange: exchangeTypes.blocking },
        { from: 'p', to: 'd', exchange: exchangeTypes.blocking },
        { from: 'd', to: 'e' },
      ],
      slots: 2,
    }).start();

  const losing = (cluster: ManualCluster) => {
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    const [partition] = cluster.ledger.graph.partitionsOf(cluster.vertex('p[0]'));
    cluster.fail('c[0]', new PartitionLostError({ partition: partition as never, attempt: 0 as never }, 'it is gone'));
  };

  it('makes consumers that have not begun wait again, which is not reported as reproduced', () => {
    const cluster = fork();
    losing(cluster);
    const [decided] = cluster.events.filter((event) => event.type === 'failover.decided');
    const [p, c, d] = ['p[0]', 'c[0]', 'd[0]'].map((task) => cluster.regionOf(task));
    expect(new Set(decided?.regions)).toEqual(new Set([p, c, d]));
    expect(new Set(decided?.again)).toEqual(new Set([p, c]));
    cluster.clock.advance(100);
    expect(cluster.deployed).toEqual(['p[0]', 'x[0]', 'c[0]', 'p[0]']);
    for (const task of ['p[0]', 'c[0]', 'x[0]', 'd[0]', 'e[0]']) {
      cluster.runAll();
      cluster.report(task, 'finished');
    }
    expect(cluster.status).toBe('finished');
  });

  describe('by a decision that takes its time', () => {
    //  (p) ×2 ═▶ (c) ═▶ (e)     c reads both results, and d reads them while they are written
    //      └╌╌╌▶ (d)
    const lateMs = 500;
    const backoff = restartBackoffSetup<{ failover: FailoverId }>().createMachine({
      context: { failover: 0 as FailoverId },
      on: {
        'backoff.requested': {
          target: '.asked',
          actions: assign({ failover: ({ event }) => event.failover }) as never,
        },
      },
      initial: 'idle',
      states: {
        idle: {},
        asked: {
          after: {
            [lateMs]: {
              target: 'idle',
              actions: emit(({ context: { failover } }) => ({
                ...{ type: 'backoff.decided' as const, failover, canRestart: true, delayMs: 0, newAttempt: true },
              })),
            },
          },
        },
      },
    });

    /** A result of p is lost; c is scheduled before that is decided, or has begun by then. */
    const deciding = () => {
      const cluster = new ManualCluster({
        vertices: [
          { id: 'p', parallelism: 2, deterministic: true },
          ...['c', 'd', 'e'].map((id) => ({ id, parallelism: 1 })),
        ],
        edges: [
          { from: 'p', to: 'c', exchange: exchangeTypes.blocking, pattern: 'all-to-all' },
          { from: 'p', to: 'd', exchange: exchangeTypes.reliable, pattern: 'all-to-all' },
          { from: 'c', to: 'e', exchange: exchangeTypes.blocking },
        ],
        restartBackoff: backoff,
        slots: 9,
      }).start();
      cluster.runAll();
      cluster.report('p[0]', 'finished');
      cluster.executors.answering = ({ type }) => (type === 'results.register' ? 'later' : undefined);
      const lose = () => {
        const [, toD] = cluster.ledger.graph.partitionsOf(cluster.vertex('p[0]'));
        cluster.fail('d[0]', new PartitionLostError(cluster.ledger.presentResult(toD as PartitionId), 'it is gone'));
      };
      const begin = () => {
        for (const { question, answer } of cluster.executors.held.splice(0)) if ('token' in question) answer();
        cluster.runAll();
      };
      const decisions = () => cluster.events.flatMap((event) => (event.type === 'failover.decided' ? [event] : []));
      return { cluster, lose, begin, decisions, c: cluster.regionOf('c[0]') };
    };

    it('makes a consumer wait again that was scheduled meanwhile: it does not begin before its input is there', () => {
      const { cluster, lose, begin, decisions, c } = deciding();
      lose();
      cluster.report('p[1]', 'finished');
      expect([cluster.stateOf('c[0]'), decisions()]).toEqual(['scheduled', []]);
      cluster.clock.advance(lateMs);
      expect(decisions().map(({ regions }) => regions.includes(c))).toEqual([true]);
      begin();
      expect(cluster.deployed.filter((task) => task === 'c[0]')).toEqual([]);
      begin();
      cluster.report('p[0]', 'finished');
      begin();
      expect(cluster.stateOf('c[0]')).toBe('running');
    });

    it('lets a consumer go on that has begun meanwhile', () => {
      const { cluster, lose, begin, decisions, c } = deciding();
      cluster.report('p[1]', 'finished');
      expect(cluster.stateOf('c[0]')).toBe('scheduled');
      lose();
      begin();
      cluster.clock.advance(lateMs);
      expect(decisions().map(({ regions }) => regions.includes(c))).toEqual([false]);
      for (let rounds = 0; rounds < 3; rounds++) begin();
      for (const task of ['p[0]', 'd[0]']) cluster.report(task, 'finished');
      expect([cluster.attemptOf('c[0]'), cluster.stateOf('c[0]')]).toEqual([0, 'running']);
      expect(cluster.events.filter(({ type }) => type === 'failover.completed')).toHaveLength(1);
    });
  });

  it('J7: but cannot be without its executor: that fails with the tasks of the executor, while the job runs', () => {
    const failures = (cluster: ManualCluster) =>
      cluster.events.flatMap((event) =>
        event.type === 'task.failed'
          ? [`${[event.task, ...(event.alsoFailed ?? [])].join()} ${event.classification}`]
          : [],
      );
    for (const isRunning of [true, false]) {
      const cluster = fork();
      losing(cluster);
      if (!isRunning) cluster.tell({ type: 'job.cancel' });
      cluster.ledger.loseTrace(cluster.ledger.graph.partitionsOf(cluster.vertex('p[0]'))[0] as never);
      cluster.quarantine('executor-0');
      const more = isRunning ? ['p[0],x[0] recoverable'] : [];
      expect(failures(cluster)).toEqual(['c[0] partition-lost', ...more]);
      if (!isRunning) continue;
      const decided = cluster.events
        .filter((event) => event.type === 'failover.decided')
        .filter(({ regions }) => regions.includes(cluster.regionOf('p[0]')));
      expect(decided.map(({ again }) => again.length)).toEqual([2, 0]);
    }
  });
});

describe('a region that waits for slots', () => {
  //  (p) ┄▶ (c) ─▶ (d) ─▶ (e)     (x)     (y)     four slots: c, d and e need three, one is free
  it('gets them as soon as its producer is scheduled again, if they became free meanwhile', () => {
    const cluster = new ManualCluster({
      vertices: [
        ...['x', 'y'].map((id) => ({ id, parallelism: 1 })),
        { id: 'p', parallelism: 1, deterministic: true },
        ...['c', 'd', 'e'].map((id) => ({ id, parallelism: 1 })),
      ],
      edges: [
        { from: 'p', to: 'c', exchange: exchangeTypes.reliable },
        { from: 'c', to: 'd' },
        { from: 'd', to: 'e' },
      ],
      slots: 4,
    }).start();
    cluster.runAll();
    cluster.fail('p[0]');
    for (const task of ['x[0]', 'y[0]']) cluster.report(task, 'finished');
    expect(cluster.deployed).toEqual(['x[0]', 'y[0]', 'p[0]']);
    cluster.clock.advance(100);
    expect(new Set(cluster.deployed.slice(3))).toEqual(new Set(['p[0]', 'c[0]', 'd[0]', 'e[0]']));
  });

  //  (p) ═▶ (c) ─▶ (d)     (x)     two slots: c and d need both, x holds one past their timeout
  it('and timed out takes none that become free before its failure is decided: they are there when it runs again', () => {
    const cluster = new ManualCluster({
      vertices: ['p', 'c', 'd', 'x'].map((id) => ({ id, parallelism: 1 })),
      edges: [
        { from: 'p', to: 'c', exchange: exchangeTypes.blocking },
        { from: 'c', to: 'd' },
      ],
      slots: 2,
    }).start();
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    cluster.executors.answering = ({ type }) => (type === 'results.verify' ? 'later' : undefined);
    cluster.clock.advance(10_000);
    cluster.report('x[0]', 'finished');
    expect(cluster.stateOf('c[0]')).toBe('failed');
    cluster.executors.held[0]?.answer();
    cluster.clock.advance(100);
    expect(cluster.deployed).toEqual(['p[0]', 'x[0]', 'c[0]', 'd[0]']);
  });

  //  (x)     (a) ─▶ (b)     (y)     two slots, one used by x: a and b need both, y needs one
  it('behind one that timed out gets its slots at once', () => {
    const cluster = new ManualCluster({
      vertices: ['x', 'a', 'b', 'y'].map((id) => ({ id, parallelism: 1 })),
      edges: [{ from: 'a', to: 'b' }],
      slots: 2,
    }).start();
    cluster.clock.advance(9_999);
    expect(cluster.deployed).toEqual(['x[0]']);
    cluster.clock.advance(1);
    expect(cluster.deployed).toEqual(['x[0]', 'y[0]']);
  });

  //  (p) ═▶ (e)     (x)     (z) ═▶ (y)     three slots, two used by e and x: b, c and d need three
  //   ╚═══▶ (b) ─▶ (c) ─▶ (d)
  it('behind one that waits again because its input is gone gets its slots at once', () => {
    const cluster = new ManualCluster({
      vertices: [
        { id: 'p', parallelism: 1, deterministic: true },
        ...['e', 'x', 'z', 'b', 'c', 'd', 'y'].map((id) => ({ id, parallelism: 1 })),
      ],
      edges: [
        ...['e', 'b'].map((to) => ({ from: 'p', to, exchange: exchangeTypes.blocking })),
        { from: 'z', to: 'y', exchange: exchangeTypes.blocking },
        { from: 'b', to: 'c' },
        { from: 'c', to: 'd' },
      ],
      slots: 3,
    }).start();
    cluster.runAll();
    for (const task of ['p[0]', 'z[0]']) cluster.report(task, 'finished');
    cluster.runAll();
    const id = cluster.ledger.presentResult(
      cluster.ledger.graph.partitionsOf(cluster.vertex('p[0]'))[0] as PartitionId,
    );
    expect(cluster.stateOf('y[0]')).toBe('scheduled');
    cluster.fail('e[0]', new PartitionLostError(id, 'it is gone'));
    expect([cluster.regionStateOf('b[0]'), cluster.stateOf('y[0]')]).toEqual(['restarting', 'deploying']);
  });
});

describe('a result that is kept for a time', () => {
  //  (p) ═▶ (c)     edge 0
  //   ╚═══▶ (d)     edge 1
  const keeping = (exchange: ExchangeType) => {
    const cluster = new ManualCluster({
      vertices: [{ id: 'p', parallelism: 1, deterministic: true }, ...['c', 'd'].map((id) => ({ id, parallelism: 1 }))],
      edges: ['c', 'd'].map((to) => ({ from: 'p', to, exchange })),
      keepResults: { ttlMs: 1_000 },
    }).start();
    cluster.runAll();
    const resultFor = (edge: number): ResultPartitionId =>
      cluster.ledger.presentResult(cluster.ledger.graph.partitionsOf(cluster.vertex('p[0]'))[edge] as PartitionId);
    return { cluster, resultFor };
  };

  it('is released that long after its producer finished, if that is after its consumers', () => {
    const { cluster, resultFor } = keeping(exchangeTypes.reliable);
    cluster.report('c[0]', 'finished');
    cluster.clock.advance(1_000);
    cluster.report('p[0]', 'finished');
    cluster.clock.advance(999);
    expect(cluster.released).toEqual([]);
    cluster.clock.advance(1);
    expect(cluster.released).toEqual([resultFor(0)]);
  });

  it('and was lost is released that long after it was reproduced because of another result', () => {
    const { cluster, resultFor } = keeping(exchangeTypes.blocking);
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    cluster.report('c[0]', 'finished');
    cluster.tell({ type: 'partition.lost', id: resultFor(0), cause });
    cluster.fail('d[0]', new PartitionLostError(resultFor(1), 'it is gone'));
    cluster.clock.advance(1_000);
    cluster.runAll();
    cluster.report('p[0]', 'finished');
    cluster.clock.advance(999);
    expect([cluster.attemptOf('p[0]'), cluster.attemptOf('c[0]'), cluster.released]).toEqual([1, 0, []]);
    cluster.clock.advance(1);
    expect(cluster.released).toEqual([resultFor(0)]);
  });
});
