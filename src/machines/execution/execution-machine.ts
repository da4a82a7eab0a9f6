import { type ActorRef, type ActorRefFrom, assign, raise, type Snapshot, sendTo, setup } from 'xstate';
import type { ExecutionToRegionEvent, RegionToExecutionEvent, TaskReport } from '../../actors/chart-events.ts';
import type { ExecutionState } from '../../actors/protocol/states.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-pool.ts';
import { placeholder } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';

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

/** What failed, and where in the task, as far as that is known. */
type TaskFault = Pick<Extract<TaskReport, { type: 'task.failed' }>, 'cause' | 'place'>;

/** The states that group others. */
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
    /** Hands the attempt to the executor of its slot. */
    deployTask: () => placeholder('execution', 'deployTask'),
    /** Asks the executor to cancel the attempt, whether it knows of it or not. */
    cancelTask: () => placeholder('execution', 'cancelTask'),
    /** Gives the slot back, if there is one. */
    returnSlot: () => placeholder('execution', 'returnSlot'),
    /** Gives back a slot that came too late to be used. */
    returnLateSlot: (_, _params: { slot: Slot }) => placeholder('execution', 'returnLateSlot'),
    /** Gives up what the attempt has written, complete or not. */
    releasePartitions: () => placeholder('execution', 'releasePartitions'),
    /** Gives up results that live only as long as their producer wants (none of a finished attempt's other results). */
    releaseTransientPartitions: () => placeholder('execution', 'releaseTransientPartitions'),
    takeSlot: assign((_, { slot }: { slot: Slot | undefined }) => ({ slot })),
    /** There is no task that could report its end. */
    reportEndOfNoTask: raise(({ context: { vertex, attempt } }) => ({ type: 'task.canceled', vertex, attempt })),
    reportRunning: sendTo(toRegion, ({ context: { vertex } }) => ({ type: 'execution.running', vertex })),
    reportFinished: sendTo(toRegion, ({ context: { vertex, attempt } }) => ({
      type: 'execution.finished',
      vertex,
      attempt,
    })),
    reportCanceled: sendTo(toRegion, ({ context: { vertex } }) => ({ type: 'execution.canceled', vertex })),
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
      cause: new IllegalStateError(`${self.id} heard "${heard}", which nobody asked for`),
    })),
  },
  guards: {
    hasSlot: ({ context }) => context.slot !== undefined,
    isCurrentAttempt: ({ context, event }) => 'attempt' in event && event.attempt === context.attempt,
  },
});

/** The failure that an event tells of, or is. E4 */
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

/** A slot for an attempt that has ended, or has one, goes back. */
const lateSlot = { actions: { type: 'returnLateSlot', params: slotOf } } as const;

/** The report of the end overtook that of the beginning: the region hears of both. */
const finishedEarly = { guard, target: '#execution.finished', actions: 'reportRunning' } as const;

const chart = executionSetup.createMachine({
  id: 'execution',
  context: ({ input }) => ({ vertex: input.vertex, attempt: input.attempt, region: input.region, slot: undefined }),
  initial: 'waiting',
  states: {
    /** Nothing runs yet: a cancellation has nothing to wait for, and any report but a failure is impossible. */
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
          },
        },
        scheduled: {
          on: {
            'execution.assignSlot': [
              { guard: 'hasSlot', ...lateSlot },
              { actions: { type: 'takeSlot', params: slotOf } },
            ],
            'execution.deploy': { guard: 'hasSlot', target: '#execution.deployed' },
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
        'execution.deploy': inexplicable,
      },
      initial: 'deploying',
      states: {
        deploying: {
          entry: 'deployTask',
          on: { 'task.initializing': { guard, target: 'initializing' }, 'task.finished': finishedEarly },
        },
        initializing: {
          on: { 'task.running': { guard, target: 'running' }, 'task.finished': finishedEarly },
        },
        running: { entry: 'reportRunning' },
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
        'execution.deploy': inexplicable,
      },
    },
  },
});

export const executionMachine = tapped(chart, executionGroups);

export type ExecutionActorRef = ActorRefFrom<typeof executionMachine>;
