import { type ActorRefFrom, type ActorRef, type Snapshot, setup } from 'xstate';
import type { ExecutorToMasterEvent } from '../../actors/chart-events.ts';
import type { TaskExecutorState } from '../../actors/protocol/states.ts';
import { ExecutorLostError } from '../../errors/executor-errors.ts';
import type { ExecutorId } from '../../ids.ts';
import { placeholder } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';

/**
 * The task executor chart: a place that offers slots, as the job master sees it.
 *
 * T1 It offers slots from its registration until it is lost or stopped, never before or after.
 * T2 When it is lost, the master hears that before any of its tasks is failed, so that nothing is deployed to it again.
 * T3 `lost` and `stopped` are never left: an executor that comes back is another executor.
 */
export interface TaskExecutorInput {
  readonly executor: ExecutorId;
  readonly master: ActorRef<Snapshot<unknown>, Extract<ExecutorToMasterEvent, { type: `executor.${string}` }>>;
}

export interface TaskExecutorContext extends TaskExecutorInput {
  /** How many tasks it runs at once, once it has said so; may be Infinity. */
  slots: number;
  /** Why it is lost. */
  why: string | undefined;
}

export type TaskExecutorEvent =
  | { readonly type: 'executor.connected'; readonly slots: number }
  /** It does not answer, or a task on it does not end. */
  | { readonly type: 'executor.declareLost'; readonly why: string }
  | { readonly type: 'executor.stop' };

const base = setup({
  types: {} as { context: TaskExecutorContext; events: TaskExecutorEvent; input: TaskExecutorInput },
  actions: {
    recordState: (_, _params: { state: TaskExecutorState }) => placeholder('task executor', 'recordState'),
    /** Ends its tasks as failed: their code may still run, what it reports is void. To be sent, so that T2 holds. */
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
    announceLoss: base.sendTo(toMaster, ({ context }) => ({
      type: 'executor.lost',
      executor: context.executor,
      cause: new ExecutorLostError(context.executor, context.why ?? 'it stopped answering'),
    })),
    takeSlots: base.assign(({ event }) => (event.type === 'executor.connected' ? { slots: event.slots } : {})),
    takeReason: base.assign(({ event }) => (event.type === 'executor.declareLost' ? { why: event.why } : {})),
  },
});

const chart = executorSetup.createMachine({
  id: 'taskExecutor',
  context: ({ input }) => ({ ...input, slots: 0, why: undefined }),
  initial: 'connecting',
  states: {
    connecting: {
      on: {
        'executor.connected': { target: 'registered', actions: 'takeSlots' },
        'executor.declareLost': { target: 'lost', actions: 'takeReason' },
        'executor.stop': 'stopped',
      },
    },
    registered: {
      entry: 'announce',
      on: { 'executor.declareLost': { target: 'lost', actions: 'takeReason' }, 'executor.stop': 'stopped' },
    },
    lost: { entry: ['announceLoss', 'failTasks'] },
    stopped: { entry: [] },
  },
});

export const taskExecutorMachine = tapped(chart);

export type TaskExecutorActorRef = ActorRefFrom<typeof taskExecutorMachine>;
