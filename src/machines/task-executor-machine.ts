import { type ActorRefFrom, type ActorRef, type Snapshot, setup } from 'xstate';
import type { ExecutorToMasterMessage } from '../actors/protocol.ts';
import { ExecutorLostError } from '../errors.ts';
import type { ExecutorId } from '../ids.ts';
import { placeholder } from './placeholder.ts';

/**
 * The task executor chart: a place that offers slots, as the job master sees it.
 *
 * T1 It offers slots from its registration until it is lost or stopped, never before or after.
 * T2 When it is lost, the master hears that before any of its tasks is failed, so that nothing is deployed to it again.
 * T3 `lost` and `stopped` are never left: an executor that comes back is another executor.
 */
export const taskExecutorStates = ['connecting', 'registered', 'lost', 'stopped'] as const;

export type TaskExecutorState = (typeof taskExecutorStates)[number];

export interface TaskExecutorInput {
  readonly executor: ExecutorId;
  /** How many tasks it runs at once; may be Infinity. */
  readonly slots: number;
  readonly master: ActorRef<Snapshot<unknown>, Extract<ExecutorToMasterMessage, { type: `executor.${string}` }>>;
}

export type TaskExecutorContext = TaskExecutorInput;

export type TaskExecutorEvent =
  | { readonly type: 'executor.connected' }
  /** It does not answer, or a task on it does not end. */
  | { readonly type: 'executor.declareLost'; readonly why: string }
  | { readonly type: 'executor.stop' };

const base = setup({
  types: {} as { context: TaskExecutorContext; events: TaskExecutorEvent; input: TaskExecutorInput },
  actions: {
    recordState: (_, _params: { state: TaskExecutorState }) => placeholder('task executor', 'recordState'),
    /** Ends its tasks as failed: their code may still run, what it reports is void. To be sent, so that T2 holds. */
    failTasks: () => placeholder('task executor', 'failTasks'),
    /** Ends its tasks and frees what it holds. */
    stopTasks: () => placeholder('task executor', 'stopTasks'),
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
    announceLoss: base.sendTo(toMaster, ({ context, event }) => ({
      type: 'executor.lost',
      executor: context.executor,
      cause: new ExecutorLostError(
        context.executor,
        event.type === 'executor.declareLost' ? event.why : 'it stopped answering',
      ),
    })),
  },
});

export const taskExecutorMachine = executorSetup.createMachine({
  id: 'taskExecutor',
  context: ({ input }) => input,
  initial: 'connecting',
  states: {
    connecting: {
      entry: { type: 'recordState', params: { state: 'connecting' } },
      on: { 'executor.connected': 'registered', 'executor.declareLost': 'lost', 'executor.stop': 'stopped' },
    },
    registered: {
      entry: [{ type: 'recordState', params: { state: 'registered' } }, 'announce'],
      on: { 'executor.declareLost': 'lost', 'executor.stop': 'stopped' },
    },
    lost: { entry: [{ type: 'recordState', params: { state: 'lost' } }, 'announceLoss', 'failTasks'] },
    stopped: { entry: [{ type: 'recordState', params: { state: 'stopped' } }, 'stopTasks'] },
  },
});

export type TaskExecutorActorRef = ActorRefFrom<typeof taskExecutorMachine>;
