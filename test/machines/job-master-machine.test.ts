import type { AnyStateMachine } from 'xstate';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { isTerminalJobStatus, jobMasterMachine, jobStatuses } from '../../src/machines/job-master-machine.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
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
  recovered: { type: 'region.recovered', region: 0, failover: 1 },
  overtaken: { type: 'region.overtaken', region: 0, failover: 1 },
  halted: { type: 'region.halted', region: 0 },
  hangs: { type: 'region.cancellationTimedOut', region: 0, vertices: [0] },
  decided: {
    type: 'failover.decided',
    failover: 1,
    failure,
    regions: [0],
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
  slots: { type: 'slots.returned' },
  partitionLost: { type: 'partition.lost', id: { partition: 0, attempt: 0 }, cause },
} as const;

type EventName = keyof typeof events;

const provided = [
  'recordStatus',
  'createRegions',
  'startScheduling',
  'scheduleConsumers',
  'rescheduleRegion',
  'releaseConsumedPartitions',
  'openFailover',
  'restartRegions',
  'settleRegion',
  'closeFailover',
  'reportOverruled',
  'grantSlots',
  'addExecutor',
  'removeExecutor',
  'abandonHangingTasks',
  'losePartition',
  'cancelRegions',
  'stopAdvisors',
  'suspendRegions',
];

const reach: Record<string, readonly EventName[]> = {
  created: [],
  'running.undisturbed': ['start'],
  'running.restarting': ['start', 'restarting'],
  failing: ['start', 'refused'],
  failed: ['start', 'refused', 'halted', 'halted'],
  canceling: ['start', 'cancel'],
  canceled: ['start', 'cancel', 'halted', 'halted'],
  finished: ['start', 'finished', 'finished'],
  suspended: ['start', 'suspend'],
};

/** Where an event leads from a status, for a job of two regions. What is not named leads nowhere. */
const leads: Record<string, Partial<Record<EventName, string>>> = {
  created: { start: 'running.undisturbed', cancel: 'canceling', suspend: 'suspended', globalFailure: 'failing' },
  'running.undisturbed': {
    cancel: 'canceling',
    suspend: 'suspended',
    restarting: 'running.restarting',
    reopened: 'running.restarting',
    refused: 'failing',
  },
  'running.restarting': {
    cancel: 'canceling',
    suspend: 'suspended',
    restarted: 'running.undisturbed',
    refused: 'failing',
  },
  failing: { cancel: 'canceling', suspend: 'suspended' },
  canceling: { globalFailure: 'failing', suspend: 'suspended' },
  failed: {},
  canceled: {},
  finished: {},
  suspended: {},
};

const jobOfTwo = (options: { readonly isStarted?: boolean } = {}): RecordedActor =>
  recorded(jobMasterMachine as AnyStateMachine, provided, () => ({ regionCount: 2 }), options);
const stateOf = ({ actor }: RecordedActor): string => stateName(actor.getSnapshot().value);

describe('job master machine', () => {
  it('the table has every status it rests in and every event', () => {
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
  ] as const)('%s before it is started: %s, and no region is ever made', (name, status) => {
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
    expect(stateOf(it)).toBe('finished');
  });

  it('J4: every reachable path ends where it says when a live master replays it, and no terminal status is left', () => {
    const paths = walks(jobMasterMachine as AnyStateMachine, Object.values(events), { regionCount: 2 }, (snapshot) => {
      const { finishedCount, restartingCount, haltedCount } = snapshot.context;
      const bounded = [finishedCount, restartingCount, haltedCount].map((count) => Math.max(-1, Math.min(count, 3)));
      return [stateName(snapshot.value), ...bounded].join();
    });
    expect(new Set(paths.map((path) => path.state))).toEqual(new Set(['initializing', ...Object.keys(reach)]));
    for (const path of paths) {
      // It initializes itself as soon as it is started: what comes before that is sent before.
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
  it('J1: restarts one pipeline, the job stays running, the other never notices', () => {
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

  it('schedules consumers of a blocking exchange when the last producer finished, and again after their failure alone', () => {
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
