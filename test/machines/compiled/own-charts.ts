import { type AnyActorRef, type AnyStateMachine, createMachine, type EventObject, fromCallback } from 'xstate';
import { executionActions } from '../../../src/machines/execution/execution-actions.ts';
import { executionMachine } from '../../../src/machines/execution/execution-machine.ts';
import { failoverActions } from '../../../src/machines/failover/failover-actions.ts';
import { failoverMachine } from '../../../src/machines/failover/failover-machine.ts';
import { heartbeatActions } from '../../../src/machines/heartbeat/heartbeat-actions.ts';
import { heartbeatMachine } from '../../../src/machines/heartbeat/heartbeat-machine.ts';
import { jobMasterMachine } from '../../../src/machines/job-master/job-master-machine.ts';
import { masterActions } from '../../../src/machines/job-master/master-actions.ts';
import { partitionMachine } from '../../../src/machines/partition/partition-machine.ts';
import { regionActions } from '../../../src/machines/region/region-actions.ts';
import { regionMachine } from '../../../src/machines/region/region-machine.ts';
import { taskExecutorMachine } from '../../../src/machines/task-executor/task-executor-machine.ts';
import { lackOfSlots } from '../../support/lack-of-slots.ts';
import { HandClock } from '../../support/manual-cluster.ts';
import { listener } from '../../support/transition-table.ts';
import type { Note } from './actor-story.ts';

/** A chart of ours, interpreted, whose provided implementations and whose neighbours take notes. */
export interface OwnChart {
  readonly make: (note: Note) => AnyStateMachine;
  readonly input: (note: Note) => object;
  /** Every event type of the chart, with several payloads where they matter. */
  readonly events: readonly EventObject[];
  /** The part of the context that decides what it does next. */
  readonly state: (context: never) => unknown;
}

const cause = new Error('boom');
const failure = { vertex: 10, attempt: 0, cause, atMs: 0, lostPartitions: [] };
const slots = [0, 1].map((index) => ({ executor: 'here', index }));
const trace = { isWhole: true };
const restart = { kind: 'restart', regions: [0, 1], again: [], waiting: [], reads: [], why: undefined };

/** What events carry. Each takes its own. */
const payload = {
  atMs: 1,
  attempt: 0,
  canRestart: true,
  cause,
  child: undefined,
  decision: restart,
  delayMs: 30,
  executor: 'here',
  failedAtMs: 0,
  failover: 1,
  failure,
  found: [],
  id: { partition: 0, attempt: 1 },
  instead: 'all',
  kept: [],
  lostCount: 0,
  mode: 'new',
  newAttempt: true,
  part: 'failoverStrategy',
  partition: 0,
  problem: 'it threw',
  producer: 11,
  region: 0,
  regions: [0],
  again: [],
  waiting: [],
  restartAtMs: 0,
  restartsLeft: 2,
  slot: slots[0],
  slots,
  statistics: { recordsIn: 0, recordsOut: 0 },
  stored: new Map(),
  storage: { release: () => {}, trace: () => trace },
  token: 0,
  traced: true,
  unrecoverable: false,
  vertex: 10,
  vertices: [10],
  wasFinished: false,
  why: 'enough',
};

/** Payloads that lead elsewhere. */
const allVariants: readonly object[] = [
  {},
  { attempt: 1, slots: undefined, vertex: 11, restartAtMs: 1_000, mode: 'again', traced: false, wasFinished: true },
  { decision: { kind: 'fail', cause, why: undefined }, lostCount: 2, canRestart: false, region: 1, slots: 1 },
  { decision: { kind: 'invalid', problem: 'it answered 7' }, delayMs: Number.NaN },
];

function eventsOf(machine: AnyStateMachine, variants: readonly object[]): EventObject[] {
  const types = (machine.events as string[]).filter((type) => !type.startsWith('xstate.'));
  return types.flatMap((type) => variants.map((variant) => ({ type, ...payload, ...variant })));
}

/** The machine anew, with recorders for what a composition root provides. */
function noting(machine: AnyStateMachine, provided: object, note: Note): AnyStateMachine {
  const recorders = Object.keys(provided).map((name) => [
    name,
    (_: unknown, params: unknown) => note('acts', name, params),
  ]);
  const { actions, guards, delays, actors } = machine.implementations;
  const invoked = Object.keys(actors).map((name) => [
    name,
    fromCallback(({ input }) => {
      note('begins', name, Object.keys(input as object));
      return () => note('ends', name);
    }),
  ]);
  return createMachine(
    machine.config as never,
    {
      actions: { ...actions, ...Object.fromEntries(recorders) },
      guards,
      delays,
      actors: Object.fromEntries(invoked),
    } as never,
  ) as unknown as AnyStateMachine;
}

const heard = (note: Note, parent?: AnyActorRef): AnyActorRef =>
  listener((entry) => note(entry), { tags: ['active'], ...(parent && { parent }) });

const own = (
  machine: unknown,
  provided: object,
  input: OwnChart['input'],
  state: (context: Record<string, unknown>) => unknown = () => undefined,
  variants = allVariants,
): OwnChart => ({
  make: (note) => noting(machine as AnyStateMachine, provided, note),
  input,
  events: eventsOf(machine as AnyStateMachine, variants),
  state: state as OwnChart['state'],
});

const few = (count: unknown): number => Math.max(-1, Math.min(count as number, 2));

const heartbeat = (settings: object): OwnChart =>
  own(
    heartbeatMachine,
    heartbeatActions,
    () => ({ clock: new HandClock(), intervalMs: 100, timeoutMs: 500, failedSends: 3, peer: {}, ...settings }),
    ({ failedCount }) => few(failedCount),
  );

export const ownCharts: Readonly<Record<string, OwnChart>> = {
  execution: own(
    executionMachine,
    executionActions,
    (note) => ({ vertex: 10, attempt: 0, region: heard(note) }),
    ({ slot }) => slot !== undefined,
  ),
  region: own(
    regionMachine,
    regionActions,
    (note) => ({
      region: 5,
      vertices: [10, 11],
      feedsRegions: true,
      job: {
        master: heard(note),
        clock: new HandClock(),
        slotRequestTimeoutMs: 50,
        lackOfSlots: () => lackOfSlots(2, 1, 'did not get them'),
        cancellationTimeoutMs: 70,
        spawnExecutions: (parent: AnyActorRef) => [heard(note, parent), heard(note, parent)],
      },
    }),
    ({ upCount, finishedCount, endedCount, attempt, failover }) =>
      [few(upCount), few(finishedCount), few(endedCount), Math.min(attempt as number, 1), failover].join(),
  ),
  'job master': own(
    jobMasterMachine,
    masterActions,
    () => ({
      regionCount: 2,
      keepsResults: true,
      decisions: { stoppedCount: 1 },
      turns: { waitingCount: 0, absentCount: 1 },
    }),
    ({ finishedCount, restartingCount, quarantinedCount, haltedCount }) =>
      [few(finishedCount), few(restartingCount), few(haltedCount), (quarantinedCount as number) > 0].join(),
    allVariants.slice(0, 2),
  ),
  failover: own(
    failoverMachine,
    failoverActions,
    (note) => ({
      failover: 1,
      failed: { vertex: 7, attempt: 0, cause, atMs: 0 },
      classify: () => ({ kind: 'recoverable' }),
      judge: () => ({ kind: 'none' }),
      propose: (_: unknown, answer: { decision: unknown } | undefined) => answer?.decision ?? restart,
      mayWait: () => false,
      proposeEverything: () => restart,
      master: heard(note),
      clock: new HandClock(),
      deadlineMs: 50,
    }),
    ({ answer, pendingCount, refusal }) => [answer !== undefined, few(pendingCount), refusal !== undefined].join(),
  ),
  partition: own(
    partitionMachine,
    {},
    (note) => ({
      id: { partition: 0, attempt: 0 },
      firstAttempt: 0,
      storage: { release: () => {}, trace: () => trace },
      executor: { report: (fact: unknown) => note('reports', fact) },
    }),
    ({ reclaim, trace: left }) => [reclaim, left !== undefined].join(),
  ),
  heartbeat: heartbeat({}),
  // Due at once, and due before it began.
  'heartbeat of a silent peer': heartbeat({ timeoutMs: 0 }),
  'heartbeat after a stall': heartbeat({ intervalMs: -1 }),
  'task executor': own(taskExecutorMachine, { recordState: 1, failTasks: 1, stopTasks: 1 }, (note) => ({
    executor: 'here',
    slots: 4,
    attempts: () => [],
    master: heard(note),
  })),
};
