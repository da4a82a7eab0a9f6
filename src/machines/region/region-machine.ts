import { type ActorRef, type ActorRefFrom, type Snapshot, setup } from 'xstate';
import type { DelayElapsedEvent, DelayInput } from '../../actors/delay-actor.ts';
import type {
  ExecutionToRegionEvent,
  MasterToRegionEvent,
  RegionToExecutionEvent,
  RegionToMasterEvent,
} from '../../actors/chart-events.ts';
import type { RegionState } from '../../actors/protocol/states.ts';
import type { Clock } from '../../environment.ts';
import { NoResourceAvailableError } from '../../errors/executor-errors.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { AttemptNumber, ExecutionVertexId, FailoverId, RegionId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import type { ExecutionActorRef, ExecutionParentRef } from '../execution/execution-machine.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';

/**
 * The region chart: the tasks of one pipelined region, which run, fail and restart together. It owns its executions
 * and the number of their attempt; the job master tells it when its inputs are ready and what a failover decided.
 *
 * R1 It deploys nothing before it has a slot for every task and every partition it will write is registered.
 * R2 It restarts only after the last of its attempts has ended *and* the backoff is over.
 * R3 Only the first failure of a run is a failure; what follows while the rest is canceled completes the cancellation.
 * R4 The newest failover that names it decides; the one it took over from is told.
 * R5 A cancellation that hangs is reported once per waiting, with the tasks that hang; the region goes on waiting.
 * R6 A restart makes a new attempt of every task, never of some.
 * R7 An attempt that ends as canceled while its region runs is a failure: no region waits for ever for what it did not do.
 */

/** Whoever runs regions: the job master. */
export type RegionParentRef = ActorRef<Snapshot<unknown>, RegionToMasterEvent>;

export interface RegionInput {
  readonly region: RegionId;
  /** In topological order. */
  readonly vertices: ArrayLike<number>;
  readonly master: RegionParentRef;
  readonly clock: Clock;
  /** Whether other regions wait for single tasks of this one to finish. */
  readonly feedsRegions: boolean;
  readonly slotRequestTimeoutMs: number;
  /** How many slots all executors offer together now, be they in use. */
  readonly offeredSlots: () => number;
  readonly cancellationTimeoutMs: number;
  /** Makes and starts one execution per vertex, in order. */
  readonly spawnExecutions: (parent: ExecutionParentRef, attempt: AttemptNumber) => readonly ExecutionActorRef[];
}

export interface RegionContext extends RegionInput {
  /** The attempt of every task of the region. */
  attempt: AttemptNumber;
  /** Parallel to `vertices`. */
  executions: readonly ExecutionActorRef[];
  /** How many attempts have reported to run; how many have finished; how many have ended in whatever way. */
  upCount: number;
  finishedCount: number;
  endedCount: number;
  /** The failover that restarts it, until it runs again. */
  failover: FailoverId | undefined;
  restartAtMs: number;
}

export type RegionEvent = MasterToRegionEvent | ExecutionToRegionEvent | DelayElapsedEvent;

const toMaster = ({ context }: { context: RegionContext }): RegionInput['master'] => context.master;

const base = setup({
  types: {} as {
    context: RegionContext;
    events: RegionEvent;
    input: RegionInput;
    tags: 'active' | 'terminal' | 'restarting';
  },
  actors: { delay: placeholderActor<DelayInput>('region', 'delay') },
  actions: {
    /** Tells observers that a state was entered. */
    recordState: (_, _params: { state: RegionState }) => placeholder('region', 'recordState'),
    /** Registers the partitions of this attempt; answers with `region.partitionsRegistered` or `…Failed`, token = attempt. */
    registerPartitions: (_, _params: { slots: readonly Slot[] }) => placeholder('region', 'registerPartitions'),
    /**
     * Gives up the results of the tasks that had finished, before their next attempt; where they are produced again, only
     * those that do not outlive their task.
     */
    releaseFinishedPartitions: () => placeholder('region', 'releaseFinishedPartitions'),
  },
  guards: {
    hasSlots: ({ event }) => event.type === 'region.schedule' && event.slots !== undefined,
    isCurrentRegistration: ({ context, event }) => 'token' in event && event.token === context.attempt,
    isLastToRun: ({ context }) => context.upCount + 1 === context.vertices.length,
    isLastToFinish: ({ context }) => context.finishedCount + 1 === context.vertices.length,
    hasEnded: ({ context }) => context.endedCount === context.vertices.length,
    isBackoffOver: ({ context }) => context.restartAtMs <= context.clock.now(),
  },
});

const { assign, enqueueActions, sendTo } = base;

const tell = (command: RegionToExecutionEvent) =>
  enqueueActions(({ context, enqueue }) => {
    for (const execution of context.executions) enqueue.sendTo(execution, command);
  });

const regionSetup = base.extend({
  actions: {
    createExecutions: assign(({ context, self }) => ({
      executions: context.spawnExecutions(self, context.attempt),
    })),
    replaceExecutions: enqueueActions(({ context, enqueue }) => {
      for (const execution of context.executions) enqueue.stopChild(execution);
      enqueue.assign(({ context: { attempt, spawnExecutions }, self }) => {
        const next = (attempt + 1) as AttemptNumber;
        return {
          attempt: next,
          executions: spawnExecutions(self, next),
          upCount: 0,
          finishedCount: 0,
          endedCount: 0,
        };
      });
    }),
    scheduleExecutions: enqueueActions(({ context, event, enqueue }) => {
      const slots = event.type === 'region.schedule' ? event.slots : undefined;
      for (const [index, execution] of context.executions.entries()) {
        enqueue.sendTo(execution, { type: 'execution.schedule', slot: slots?.[index] });
      }
    }),
    assignSlots: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'region.slotsGranted') return;
      for (const [index, slot] of event.slots.entries()) {
        enqueue.sendTo(context.executions[index] as ExecutionActorRef, { type: 'execution.assignSlot', slot });
      }
    }),
    deployExecutions: tell({ type: 'execution.deploy' }),
    cancelExecutions: tell({ type: 'execution.cancel' }),
    suspendExecutions: tell({ type: 'execution.suspend' }),
    failForWantOfSlots: sendTo(
      ({ context }) => context.executions[0] as ExecutionActorRef,
      ({ context }) => ({
        type: 'execution.fail',
        cause: new NoResourceAvailableError(
          context.executions.length,
          context.offeredSlots(),
          `they did not come free within ${context.slotRequestTimeoutMs} ms`,
        ),
      }),
    ),
    failUnregistered: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'region.partitionRegistrationFailed') return;
      const index = Array.prototype.indexOf.call(context.vertices, event.producer);
      enqueue.sendTo(context.executions[index] as ExecutionActorRef, { type: 'execution.fail', cause: event.cause });
    }),

    countUp: assign({ upCount: ({ context }) => context.upCount + 1 }),
    countFinished: assign({
      finishedCount: ({ context }) => context.finishedCount + 1,
      endedCount: ({ context }) => context.endedCount + 1,
    }),
    countEnded: assign({ endedCount: ({ context }) => context.endedCount + 1 }),

    followFailover: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'region.restart') return;
      if (context.failover !== undefined) {
        enqueue.sendTo(context.master, {
          type: 'region.overtaken',
          region: context.region,
          failover: context.failover,
        });
      }
      enqueue.assign({ failover: event.failover, restartAtMs: event.restartAtMs });
    }),
    reportRestarting: sendTo(toMaster, ({ context }) => ({
      type: 'region.restarting',
      region: context.region,
      failover: context.failover as FailoverId,
      wasFinished: context.finishedCount === context.vertices.length,
    })),
    reportRestarted: sendTo(toMaster, ({ context }) => ({
      type: 'region.restarted',
      region: context.region,
      failover: context.failover as FailoverId,
    })),
    reportRecovered: enqueueActions(({ context, enqueue }) => {
      if (context.failover === undefined) return;
      enqueue.sendTo(context.master, { type: 'region.recovered', region: context.region, failover: context.failover });
      enqueue.assign({ failover: undefined });
    }),
    reportTaskFailed: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'execution.failed') return;
      const { vertex, attempt, cause, place } = event;
      const { region } = context;
      enqueue.sendTo(context.master, { type: 'region.taskFailed', region, vertex, attempt, cause, place });
    }),
    /** Nobody told the task to end: it has not done its work, whatever it says of itself. */
    reportTaskCanceled: enqueueActions(({ context: { master, region, attempt }, event, enqueue }) => {
      if (event.type !== 'execution.canceled') return;
      const { vertex } = event;
      const cause = new IllegalStateError('The task was canceled, and nobody had asked for that');
      enqueue.sendTo(master, { type: 'region.taskFailed', region, vertex, attempt, cause });
    }),
    reportTaskFinished: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'execution.finished' || !context.feedsRegions) return;
      enqueue.sendTo(context.master, { type: 'region.taskFinished', region: context.region, vertex: event.vertex });
    }),
    reportFinished: sendTo(toMaster, ({ context }) => ({ type: 'region.finished', region: context.region })),
    reportHalted: sendTo(toMaster, ({ context }) => ({ type: 'region.halted', region: context.region })),
    reportCancellationTimedOut: sendTo(toMaster, ({ context }) => ({
      type: 'region.cancellationTimedOut',
      region: context.region,
      vertices: hanging(context),
    })),
    reportInexplicable: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'execution.inexplicable') return;
      enqueue.sendTo(context.master, { type: 'region.inexplicable', region: context.region, cause: event.cause });
    }),
  },
});

function hanging({ executions, vertices }: RegionContext): ExecutionVertexId[] {
  return executions.flatMap((execution, index) =>
    execution.getSnapshot().hasTag('active') ? [vertices[index] as ExecutionVertexId] : [],
  );
}

const fails = { target: '#region.failed', actions: ['countEnded', 'reportTaskFailed'] } as const;

const canceledUnasked = { target: '#region.failed', actions: ['countEnded', 'reportTaskCanceled'] } as const;

/** While it may still run: a failover, the end of the job and the first failure. */
const live = {
  'execution.failed': fails,
  'execution.canceled': canceledUnasked,
  'region.restart': { target: '#region.restarting', actions: 'followFailover' },
  'region.cancel': '#region.canceling',
  'region.suspend': '#region.canceled',
} as const;

const countsEnds = {
  'execution.canceled': { actions: 'countEnded' },
  'execution.failed': { actions: 'countEnded' },
  'execution.finished': { actions: 'countFinished' },
} as const;

/** Waits until every attempt has ended; complains about those that do not. */
const halting = {
  always: { guard: 'hasEnded', target: 'halted' },
  invoke: {
    src: 'delay',
    input: ({ context }: { context: RegionContext }): DelayInput => ({
      clock: context.clock,
      withinMs: context.cancellationTimeoutMs,
    }),
  },
  on: { 'delay.elapsed': { actions: 'reportCancellationTimedOut' } },
} as const;

/** Nothing is armed for a region that has nothing to wait for. */
const ended = { always: [{ guard: 'hasEnded', target: 'halted' }, { target: 'halting' }] } as const;

const chart = regionSetup.createMachine({
  id: 'region',
  context: ({ input }) => ({
    ...input,
    attempt: 0 as AttemptNumber,
    executions: [],
    upCount: 0,
    finishedCount: 0,
    endedCount: 0,
    failover: undefined,
    restartAtMs: 0,
  }),
  entry: 'createExecutions',
  on: { 'execution.inexplicable': { actions: 'reportInexplicable' } },
  initial: 'created',
  states: {
    created: {
      on: {
        ...live,
        'region.schedule': [
          { guard: 'hasSlots', target: 'scheduled.registering', actions: 'scheduleExecutions' },
          { target: 'scheduled.allocating', actions: 'scheduleExecutions' },
        ],
      },
    },
    scheduled: {
      tags: 'active',
      on: live,
      initial: 'allocating',
      states: {
        allocating: {
          invoke: {
            src: 'delay',
            input: ({ context }) => ({ clock: context.clock, withinMs: context.slotRequestTimeoutMs }),
          },
          on: {
            'region.slotsGranted': { target: 'registering', actions: 'assignSlots' },
            'delay.elapsed': { actions: 'failForWantOfSlots' },
          },
        },
        registering: {
          entry: {
            type: 'registerPartitions',
            params: ({ event }) => ({ slots: ('slots' in event ? event.slots : undefined) ?? [] }),
          },
          on: {
            'region.partitionsRegistered': { guard: 'isCurrentRegistration', target: '#region.deploying' },
            'region.partitionRegistrationFailed': { guard: 'isCurrentRegistration', actions: 'failUnregistered' },
          },
        },
      },
    },
    deploying: {
      tags: 'active',
      entry: 'deployExecutions',
      on: {
        ...live,
        'execution.running': [{ guard: 'isLastToRun', target: 'running', actions: 'countUp' }, { actions: 'countUp' }],
        'execution.finished': { actions: ['countFinished', 'reportTaskFinished'] },
      },
    },
    running: {
      tags: 'active',
      entry: 'reportRecovered',
      always: { guard: ({ context }) => context.finishedCount === context.vertices.length, target: 'finished' },
      on: {
        ...live,
        'execution.finished': [
          { guard: 'isLastToFinish', target: 'finished', actions: ['countFinished', 'reportTaskFinished'] },
          { actions: ['countFinished', 'reportTaskFinished'] },
        ],
      },
    },
    finished: {
      tags: 'terminal',
      entry: 'reportFinished',
      on: {
        'region.restart': live['region.restart'],
        'region.cancel': { actions: 'cancelExecutions' },
        'region.suspend': { actions: 'suspendExecutions' },
      },
    },
    failed: {
      tags: 'active',
      entry: 'cancelExecutions',
      on: {
        ...countsEnds,
        'region.restart': live['region.restart'],
        'region.cancel': 'canceling',
        'region.suspend': 'canceled',
      },
      initial: 'ended',
      states: { ended, halting, halted: {} },
    },
    restarting: {
      tags: ['active', 'restarting'],
      entry: ['reportRestarting', 'cancelExecutions'],
      on: {
        ...countsEnds,
        'region.restart': { target: '.ended', actions: 'followFailover' },
        'region.cancel': 'canceling',
        'region.suspend': 'canceled',
      },
      initial: 'ended',
      states: {
        ended,
        halting,
        halted: { always: [{ guard: 'isBackoffOver', target: 'ready' }, { target: 'backingOff' }] },
        backingOff: {
          invoke: {
            src: 'delay',
            input: ({ context }) => ({ clock: context.clock, untilMs: context.restartAtMs }),
          },
          on: { 'delay.elapsed': 'ready' },
        },
        ready: {
          entry: ['releaseFinishedPartitions', 'replaceExecutions'],
          always: { target: '#region.created', actions: 'reportRestarted' },
        },
      },
    },
    canceling: {
      tags: 'active',
      entry: 'cancelExecutions',
      on: { ...countsEnds, 'region.suspend': 'canceled' },
      initial: 'ended',
      states: { ended, halting, halted: { always: '#region.canceled' } },
    },
    canceled: {
      tags: 'terminal',
      entry: ['suspendExecutions', 'reportHalted'],
    },
  },
});

export const regionMachine = tapped(chart);

export type RegionActorRef = ActorRefFrom<typeof regionMachine>;
