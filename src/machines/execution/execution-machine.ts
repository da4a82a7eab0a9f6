import { type ActorRef, type ActorRefFrom, assign, type Snapshot, sendTo, setup } from 'xstate';
import type { ExecutionToRegionEvent, RegionToExecutionEvent, TaskReport } from '../../actors/chart-events.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import { placeholder } from '../placeholder.ts';

/**
 * The execution chart: one attempt to run one execution vertex, from the master's side. It owns the attempt's state and
 * its slot; its region commands it, the task it stands for reports to it, and it tells the region what concerns all.
 *
 * E1 What a task reports counts only if it names this attempt.
 * E2 A terminal state is never left: another attempt is another actor.
 * E3 A failure while canceling completes the cancellation; it is neither `failed` nor another failover.
 * E4 A report that cannot be explained fails the attempt or raises a global failure; it is never just believed.
 * E5 The slot is returned when the attempt is terminal, before the region hears of it, and once.
 * E6 A cancellation that its deployment overtook is sent again.
 *
 * States and reactions are those of Flink's `Execution`; see `test/machines/execution-machine.test.ts` for the table.
 */

/** Whoever runs executions: a region. */
export type ExecutionParentRef = ActorRef<Snapshot<unknown>, ExecutionToRegionEvent>;

export interface ExecutionInput {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  readonly region: ExecutionParentRef;
}

export interface ExecutionContext extends ExecutionInput {
  slot: Slot | undefined;
}

export type ExecutionEvent = RegionToExecutionEvent | TaskReport;

const toRegion = ({ context }: { context: ExecutionContext }): ExecutionInput['region'] => context.region;

const executionSetup = setup({
  types: {} as {
    context: ExecutionContext;
    events: ExecutionEvent;
    input: ExecutionInput;
    tags: 'active' | 'terminal';
  },
  actions: {
    /** Tells observers that a state was entered. */
    recordState: (_, _params: { state: ExecutionState }) => placeholder('execution', 'recordState'),
    /** Hands the attempt to the executor of its slot. */
    deployTask: () => placeholder('execution', 'deployTask'),
    /** Asks the executor to cancel the attempt, whether it knows of it or not. */
    cancelTask: () => placeholder('execution', 'cancelTask'),
    /** Gives the slot back, if there is one. */
    returnSlot: () => placeholder('execution', 'returnSlot'),
    /** Gives up what the attempt has written, complete or not. */
    releasePartitions: () => placeholder('execution', 'releasePartitions'),
    /** Gives up results that live only as long as their producer wants (none of a finished attempt's other results). */
    releaseTransientPartitions: () => placeholder('execution', 'releaseTransientPartitions'),
    takeSlot: assign({
      slot: ({ context, event }) =>
        event.type === 'execution.schedule' || event.type === 'execution.assignSlot' ? event.slot : context.slot,
    }),
    /** Gives back a slot that came too late to be used. */
    returnLateSlot: (_, _params: { slot: Slot }) => placeholder('execution', 'returnLateSlot'),
    reportRunning: sendTo(toRegion, ({ context }) => ({ type: 'execution.running', vertex: context.vertex })),
    reportFinished: sendTo(toRegion, ({ context }) => ({
      type: 'execution.finished',
      vertex: context.vertex,
      attempt: context.attempt,
    })),
    reportCanceled: sendTo(toRegion, ({ context }) => ({ type: 'execution.canceled', vertex: context.vertex })),
    reportFailed: sendTo(toRegion, ({ context, event, self }) => ({
      type: 'execution.failed',
      vertex: context.vertex,
      attempt: context.attempt,
      place: event.type === 'task.failed' ? event.place : undefined,
      cause:
        event.type === 'task.failed' || event.type === 'execution.fail'
          ? event.cause
          : new IllegalStateError(
              `${self.id} heard "${event.type}", which is impossible before it was deployed or twice`,
            ),
    })),
    raiseGlobalFailure: sendTo(toRegion, ({ context, event, self }) => ({
      type: 'execution.inexplicable',
      vertex: context.vertex,
      cause: new IllegalStateError(`${self.id} heard "${event.type}", which nobody asked for`),
    })),
  },
  guards: {
    hasSlot: ({ context }) => context.slot !== undefined,
    isCurrentAttempt: ({ context, event }) => 'attempt' in event && event.attempt === context.attempt,
  },
});

const guard = 'isCurrentAttempt';
const outOfOrder = { guard, target: 'failed', actions: 'cancelTask' } as const;

/** A slot for an attempt that has ended, or has one, goes back. */
const lateSlot = {
  'execution.assignSlot': {
    actions: { type: 'returnLateSlot', params: ({ event }: { event: { slot: Slot } }) => ({ slot: event.slot }) },
  },
} as const;

/** Nothing runs yet: a cancellation has nothing to wait for, and any report but a failure is impossible. */
const waiting = {
  'execution.cancel': { target: 'canceled', actions: { type: 'recordState', params: { state: 'canceling' } } },
  'execution.suspend': 'canceled',
  'execution.fail': 'failed',
  'task.failed': { guard, target: 'failed' },
  'task.finished': { guard, target: 'failed' },
  'task.canceled': { guard, actions: 'raiseGlobalFailure' },
  'task.initializing': outOfOrder,
  'task.running': outOfOrder,
} as const;

/** An executor has the attempt. */
const deployed = {
  'execution.cancel': { target: 'canceling', actions: 'cancelTask' },
  'execution.suspend': { target: 'canceled', actions: 'cancelTask' },
  'execution.fail': { target: 'failed', actions: 'cancelTask' },
  'task.failed': { guard, target: 'failed' },
  'task.finished': { guard, target: 'finished' },
  'task.canceled': { guard, target: 'canceled' },
  'task.initializing': outOfOrder,
  'task.running': outOfOrder,
  'execution.deploy': { actions: 'raiseGlobalFailure' },
} as const;

/** The report of the end overtook that of the beginning: the region hears of both. */
const finishedEarly = { 'task.finished': { guard, target: 'finished', actions: 'reportRunning' } } as const;

export const executionMachine = executionSetup.createMachine({
  id: 'execution',
  context: ({ input }) => ({ vertex: input.vertex, attempt: input.attempt, region: input.region, slot: undefined }),
  initial: 'created',
  states: {
    created: {
      entry: { type: 'recordState', params: { state: 'created' } },
      on: {
        ...waiting,
        'execution.schedule': { target: 'scheduled', actions: 'takeSlot' },
        'execution.deploy': { actions: 'raiseGlobalFailure' },
      },
    },
    scheduled: {
      entry: { type: 'recordState', params: { state: 'scheduled' } },
      on: {
        ...waiting,
        'execution.assignSlot': [{ guard: 'hasSlot', ...lateSlot['execution.assignSlot'] }, { actions: 'takeSlot' }],
        'execution.deploy': [{ guard: 'hasSlot', target: 'deploying' }, { actions: 'raiseGlobalFailure' }],
      },
    },
    deploying: {
      tags: 'active',
      entry: [{ type: 'recordState', params: { state: 'deploying' } }, 'deployTask'],
      on: { ...deployed, ...finishedEarly, 'task.initializing': { guard, target: 'initializing' } },
    },
    initializing: {
      tags: 'active',
      entry: { type: 'recordState', params: { state: 'initializing' } },
      on: { ...deployed, ...finishedEarly, 'task.running': { guard, target: 'running' } },
    },
    running: {
      tags: 'active',
      entry: [{ type: 'recordState', params: { state: 'running' } }, 'reportRunning'],
      on: deployed,
    },
    canceling: {
      tags: 'active',
      entry: { type: 'recordState', params: { state: 'canceling' } },
      on: {
        'execution.suspend': 'canceled',
        'execution.fail': 'canceled',
        'task.failed': { guard, target: 'canceled' },
        'task.canceled': { guard, target: 'canceled' },
        'task.finished': { guard, target: 'canceled' },
        'task.initializing': { guard, actions: 'cancelTask' },
        'task.running': { guard, actions: 'cancelTask' },
        'execution.deploy': { actions: 'raiseGlobalFailure' },
      },
    },
    finished: {
      tags: 'terminal',
      entry: [{ type: 'recordState', params: { state: 'finished' } }, 'returnSlot', 'reportFinished'],
      on: {
        'execution.cancel': { actions: 'releaseTransientPartitions' },
        'execution.suspend': { actions: 'releaseTransientPartitions' },
        'task.canceled': { guard, actions: 'raiseGlobalFailure' },
        'execution.deploy': { actions: 'raiseGlobalFailure' },
      },
    },
    canceled: {
      tags: 'terminal',
      entry: [
        { type: 'recordState', params: { state: 'canceled' } },
        'releasePartitions',
        'returnSlot',
        'reportCanceled',
      ],
      on: { ...lateSlot, 'execution.deploy': { actions: 'raiseGlobalFailure' } },
    },
    failed: {
      tags: 'terminal',
      entry: [{ type: 'recordState', params: { state: 'failed' } }, 'releasePartitions', 'returnSlot', 'reportFailed'],
      on: {
        ...lateSlot,
        'task.initializing': { guard, actions: 'cancelTask' },
        'task.running': { guard, actions: 'cancelTask' },
        'execution.deploy': { actions: 'raiseGlobalFailure' },
      },
    },
  },
});

export type ExecutionActorRef = ActorRefFrom<typeof executionMachine>;
