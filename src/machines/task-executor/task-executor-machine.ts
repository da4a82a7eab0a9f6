import { type ActorRef, type ActorRefFrom, assign, type Snapshot, sendTo, setup } from 'xstate';
import type { ExecutorToMasterEvent } from '../../actors/chart-events.ts';
import type { TaskExecutorState } from '../../actors/protocol/states.ts';
import { ExecutorLostError } from '../../errors/executor-errors.ts';
import type { ExecutorId } from '../../ids.ts';
import type { ExecutionActorRef } from '../execution/execution-machine.ts';
import { placeholder } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';
import { told } from '../told.ts';

/**
 * The task executor chart: an executor and its slots, from the job master's side.
 *
 * T1 It offers slots from its registration until it is lost or stopped, never before or after.
 * T2 When it is lost, the master hears of it before its tasks fail, so that nothing is deployed to it again, and once
 *   more after they have failed, so that their failures are one.
 * T3 `lost` and `stopped` are never left: an executor that comes back is another executor.
 * T4 One that is drained offers no slots from then on. It is stopped once it is idle, or lost when its time is over.
 */
export interface TaskExecutorInput {
  readonly executor: ExecutorId;
  readonly master: ActorRef<Snapshot<unknown>, Extract<ExecutorToMasterEvent, { type: `executor.${string}` }>>;
  /** The attempts that run on it now. */
  readonly attempts: () => readonly ExecutionActorRef[];
}

export interface TaskExecutorContext extends TaskExecutorInput {
  /** Maximum tasks at once, set when it registers; may be Infinity. */
  slots: number;
  /** Why it is lost: the cause of the failures of all its tasks. */
  cause: ExecutorLostError | undefined;
}

export type TaskExecutorEvent =
  | { readonly type: 'executor.connected'; readonly slots: number }
  /** The executor does not answer, or a task on it does not end. */
  | { readonly type: 'executor.declareLost'; readonly why: string }
  | { readonly type: 'executor.drain'; readonly graceMs: number; readonly isReplaced: boolean }
  /** Nothing runs on it, and no consumer needs its results. */
  | { readonly type: 'executor.idle' }
  | { readonly type: 'executor.stop' };

const base = setup({
  types: {} as { context: TaskExecutorContext; events: TaskExecutorEvent; input: TaskExecutorInput },
  actions: {
    recordState: (_, _params: { state: TaskExecutorState }) => placeholder('task executor', 'recordState'),
    /** Fails its tasks, whose code may still run but whose reports are ignored. Sent as an event, so that T2 holds. */
    failTasks: () => placeholder('task executor', 'failTasks'),
  },
});

const toMaster = ({ context }: { context: TaskExecutorContext }): TaskExecutorInput['master'] => context.master;

const executorSetup = base.extend({
  actions: {
    announce: base.sendTo(toMaster, ({ context }) => ({
      type: 'executor.registered',
      executor: context.executor,
      slots: context.slots,
    })),
    announceLoss: base.sendTo(toMaster, ({ context: { executor, cause } }) => ({
      type: 'executor.lost',
      executor,
      cause: cause as ExecutorLostError,
    })),
    announceFailures: base.sendTo(toMaster, ({ context: { executor, cause } }) => ({
      type: 'executor.tasksFailed',
      executor,
      cause: cause as ExecutorLostError,
    })),
    announceDraining: sendTo(
      toMaster,
      ({ context: { executor } }, drain: { readonly graceMs: number; readonly isReplaced: boolean }) => ({
        type: 'executor.draining' as const,
        executor,
        graceMs: drain.graceMs,
        isReplaced: drain.isReplaced,
      }),
    ),
    announceDrained: base.sendTo(toMaster, ({ context: { executor } }) => ({ type: 'executor.drained', executor })),
    takeSlots: assign((_, { slots }: { slots: number }) => ({ slots })),
    takeReason: assign(({ context: { executor } }, { why }: { why: string }) => ({
      cause: new ExecutorLostError(executor, why),
    })),
  },
});

const lose = {
  target: 'lost',
  actions: { type: 'takeReason', params: told<Extract<TaskExecutorEvent, { type: 'executor.declareLost' }>> },
} as const;

export const taskExecutorMachine = tapped(executorSetup).createMachine({
  id: 'taskExecutor',
  context: ({ input }) => ({ ...input, slots: 0, cause: undefined }),
  initial: 'connecting',
  states: {
    connecting: {
      on: {
        'executor.connected': {
          target: 'registered',
          actions: { type: 'takeSlots', params: told },
        },
        'executor.declareLost': lose,
        'executor.stop': 'stopped',
      },
    },
    registered: {
      entry: 'announce',
      on: {
        'executor.drain': { target: 'draining', actions: { type: 'announceDraining', params: told } },
        'executor.declareLost': lose,
        'executor.stop': 'stopped',
      },
    },
    draining: {
      on: {
        'executor.idle': { target: 'stopped', actions: 'announceDrained' },
        'executor.declareLost': lose,
        'executor.stop': 'stopped',
      },
    },
    lost: { entry: ['announceLoss', 'failTasks', 'announceFailures'] },
    stopped: {},
  },
});

export type TaskExecutorActorRef = ActorRefFrom<typeof taskExecutorMachine>;
