import { type ActorRef, type ActorRefFrom, assign, raise, type Snapshot, sendTo, setup } from 'xstate';
import type { ExecutionToRegionEvent, RegionToExecutionEvent, TaskReport } from '../../actors/chart-events.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RestartMode } from '../../graph/reproducibility.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-offers.ts';
import { placeholder } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';

/**
 * The execution chart: one attempt to run one execution vertex, from the master's side. It owns the attempt's state and
 * its slot. Its region commands it, its task reports to it, and it forwards events that concern the whole region.
 *
 * E1 A task's report counts only if it names this attempt.
 * E2 A terminal state is never left: another attempt is another actor.
 * E3 A failure while canceling completes the cancellation; it is neither `failed` nor another failover.
 * E4 An inexplicable report fails the attempt or raises a global failure; it is never simply believed.
 * E5 The slot is released once, when the attempt is terminal and before the region hears of that.
 * E6 A cancellation that was overtaken by the deployment is sent again.
 * E7 Its task asks before its sinks commit, and hears of it only from its region, while it runs.
 *
 * States and reactions are those of Flink's `Execution`; see `test/machines/execution-machine.test.ts` for the table.
 */

/** The parent of executions: a region. */
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

/** The failure, and where in the task it happened, if known. */
type TaskFault = Pick<Extract<TaskReport, { type: 'task.failed' }>, 'cause' | 'place'>;

/** States that only group others. */
export const executionGroups = ['waiting', 'deployed'] as const;

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
    /** Deploys the attempt to the executor of its slot. */
    deployTask: (_, _params: { mode: RestartMode }) => placeholder('execution', 'deployTask'),
    /** Asks the executor to cancel the attempt, even if the executor does not know it. */
    cancelTask: () => placeholder('execution', 'cancelTask'),
    /** Lets the sinks of the attempt commit. */
    commitTask: () => placeholder('execution', 'commitTask'),
    /** Releases the slot, if there is one. */
    returnSlot: () => placeholder('execution', 'returnSlot'),
    /** Releases a slot that arrived too late. */
    returnLateSlot: (_, _params: { slot: Slot }) => placeholder('execution', 'returnLateSlot'),
    /** Releases the results of the attempt, complete or not. */
    releasePartitions: () => placeholder('execution', 'releasePartitions'),
    /** Releases results that live only as long as their producer; other results of a finished attempt stay. */
    releaseTransientPartitions: () => placeholder('execution', 'releaseTransientPartitions'),
    takeSlot: assign((_, { slot }: { slot: Slot | undefined }) => ({ slot })),
    /** Ends the attempt without waiting for a task's report. */
    reportEndOfNoTask: raise(({ context: { vertex, attempt } }) => ({ type: 'task.canceled', vertex, attempt })),
    reportRunning: sendTo(toRegion, ({ context: { vertex, attempt } }) => ({
      type: 'execution.running',
      vertex,
      attempt,
    })),
    reportPrepared: sendTo(toRegion, ({ context: { vertex, attempt } }) => ({
      type: 'execution.prepared',
      vertex,
      attempt,
    })),
    reportFinished: sendTo(toRegion, ({ context: { vertex, attempt } }) => ({
      type: 'execution.finished',
      vertex,
      attempt,
    })),
    reportCanceled: sendTo(toRegion, ({ context: { vertex, attempt } }) => ({
      type: 'execution.canceled',
      vertex,
      attempt,
    })),
    reportFailed: sendTo(toRegion, ({ context: { vertex, attempt } }, { cause, place }: TaskFault) => ({
      type: 'execution.failed',
      vertex,
      attempt,
      place,
      cause,
    })),
    raiseGlobalFailure: sendTo(toRegion, ({ context: { vertex }, self }, { heard }: { heard: string }) => ({
      type: 'execution.inexplicable',
      vertex,
      cause: new IllegalStateError(`${self.id} received "${heard}" without a request`),
    })),
  },
  guards: {
    hasSlot: ({ context }) => context.slot !== undefined,
    isCurrentAttempt: ({ context, event }) => 'attempt' in event && event.attempt === context.attempt,
  },
});

/** The failure in an event, or the failure that the event itself is. E4 */
function faultIn(event: ExecutionEvent, { attempt }: ExecutionContext): TaskFault {
  if (event.type === 'task.failed' || event.type === 'execution.fail') return event;
  return {
    cause: new IllegalStateError(`Attempt ${attempt} reported "${event.type}" before it was deployed, or twice`),
  };
}

const guard = 'isCurrentAttempt';

/** A report that no command explains. E4 */
const inexplicable = {
  actions: { type: 'raiseGlobalFailure', params: ({ event }: { event: ExecutionEvent }) => ({ heard: event.type }) },
} as const;

const slotOf = ({ event }: { event: { readonly slot: Slot } }) => ({ slot: event.slot });

/** A slot for an attempt that has ended, or already has one, is released. */
const lateSlot = { actions: { type: 'returnLateSlot', params: slotOf } } as const;

/** The report of the end overtook that of the beginning: report both to the region. */
const finishedEarly = { guard, target: '#execution.finished', actions: 'reportRunning' } as const;

export const executionMachine = tapped(executionSetup, executionGroups).createMachine({
  id: 'execution',
  context: ({ input }) => ({ vertex: input.vertex, attempt: input.attempt, region: input.region, slot: undefined }),
  initial: 'waiting',
  states: {
    /** Nothing runs yet: a cancellation is immediate, and any report but a failure is impossible. */
    waiting: {
      on: {
        'execution.cancel': { target: 'canceling', actions: 'reportEndOfNoTask' },
        'execution.suspend': 'canceled',
        'execution.fail': 'failed',
        'task.failed': { guard, target: 'failed' },
        'task.finished': { guard, target: 'failed' },
        'task.canceled': { guard, ...inexplicable },
        'task.initializing': { guard, target: 'failed', actions: 'cancelTask' },
        'task.running': { guard, target: 'failed', actions: 'cancelTask' },
        'task.prepared': { guard, target: 'failed', actions: 'cancelTask' },
        'execution.deploy': inexplicable,
      },
      initial: 'created',
      states: {
        created: {
          on: {
            'execution.schedule': {
              target: 'scheduled',
              actions: { type: 'takeSlot', params: ({ event }) => ({ slot: event.slot }) },
            },
            'execution.restore': '#execution.finished',
          },
        },
        scheduled: {
          on: {
            'execution.restore': '#execution.finished',
            'execution.assignSlot': [
              { guard: 'hasSlot', ...lateSlot },
              { actions: { type: 'takeSlot', params: slotOf } },
            ],
            'execution.deploy': {
              guard: 'hasSlot',
              target: '#execution.deployed',
              actions: { type: 'deployTask', params: ({ event }) => ({ mode: event.mode }) },
            },
          },
        },
      },
    },
    /** An executor has the attempt. */
    deployed: {
      tags: 'active',
      on: {
        'execution.cancel': { target: 'canceling', actions: 'cancelTask' },
        'execution.suspend': { target: 'canceled', actions: 'cancelTask' },
        'execution.fail': { target: 'failed', actions: 'cancelTask' },
        'task.failed': { guard, target: 'failed' },
        'task.finished': { guard, target: 'finished' },
        'task.canceled': { guard, target: 'canceled' },
        'task.initializing': { guard, target: 'failed', actions: 'cancelTask' },
        'task.running': { guard, target: 'failed', actions: 'cancelTask' },
        'task.prepared': { guard, target: 'failed', actions: 'cancelTask' },
        'execution.deploy': inexplicable,
      },
      initial: 'deploying',
      states: {
        deploying: {
          on: { 'task.initializing': { guard, target: 'initializing' }, 'task.finished': finishedEarly },
        },
        initializing: {
          on: { 'task.running': { guard, target: 'running' }, 'task.finished': finishedEarly },
        },
        running: {
          entry: 'reportRunning',
          on: { 'task.prepared': { guard, actions: 'reportPrepared' }, 'execution.commit': { actions: 'commitTask' } },
        },
      },
    },
    canceling: {
      tags: 'active',
      on: {
        'execution.suspend': 'canceled',
        'execution.fail': 'canceled',
        'task.failed': { guard, target: 'canceled' },
        'task.canceled': { guard, target: 'canceled' },
        'task.finished': { guard, target: 'canceled' },
        'task.initializing': { guard, actions: 'cancelTask' },
        'task.running': { guard, actions: 'cancelTask' },
        'task.prepared': { guard, actions: 'cancelTask' },
        'execution.deploy': inexplicable,
      },
    },
    finished: {
      tags: 'terminal',
      entry: ['returnSlot', 'reportFinished'],
      on: {
        'execution.cancel': { actions: 'releaseTransientPartitions' },
        'execution.suspend': { actions: 'releaseTransientPartitions' },
        'task.canceled': { guard, ...inexplicable },
        'execution.deploy': inexplicable,
      },
    },
    canceled: {
      tags: 'terminal',
      entry: ['releasePartitions', 'returnSlot', 'reportCanceled'],
      on: { 'execution.assignSlot': lateSlot, 'execution.deploy': inexplicable },
    },
    failed: {
      tags: 'terminal',
      entry: [
        'releasePartitions',
        'returnSlot',
        { type: 'reportFailed', params: ({ context, event }) => faultIn(event, context) },
      ],
      on: {
        'execution.assignSlot': lateSlot,
        'task.initializing': { guard, actions: 'cancelTask' },
        'task.running': { guard, actions: 'cancelTask' },
        'task.prepared': { guard, actions: 'cancelTask' },
        'execution.deploy': inexplicable,
      },
    },
  },
});

export type ExecutionActorRef = ActorRefFrom<typeof executionMachine>;

/** The implementations that the execution chart names. */
export type ExecutionActions = NonNullable<Parameters<typeof executionMachine.provide>[0]['actions']>;
