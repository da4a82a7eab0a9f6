import type { ActorRefFrom } from 'xstate';
import { noFailures } from '../../checkpoints/failure-count.ts';
import { told } from '../told.ts';
import { type CoordinatorEvent, coordinatorSetup } from './coordinator-setup.ts';

/**
 * The checkpoint coordinator chart, one per streaming component of a job: when checkpoints of it are triggered, and what
 * their ends mean. Each checkpoint has a chart of its own; the tasks and the storage are its component's.
 *
 * CQ1 The timer triggers checkpoints only while every task of the component runs or has finished.
 * CQ2 When a task of it stops running, its pending checkpoints are aborted and its requests refused, also once all have
 *   finished; those of other components go on.
 * CQ3 One request at a time is being triggered; the next is chosen whenever something changes.
 * CQ4 A completed checkpoint makes older ones superfluous, but no savepoints; a savepoint makes none superfluous.
 * CQ5 A failure is counted by its reason; too many in a row fail the component, and no other.
 * CQ6 At most one periodic request waits: the timer does not pile them up while a checkpoint takes its time.
 * CQ7 Once stopped it triggers nothing. A checkpoint that is complete by then is still stored and announced.
 *
 * (Flink: `CheckpointCoordinator`, with one for the whole job.)
 */

type EventOf<Type extends CoordinatorEvent['type']> = { readonly event: Extract<CoordinatorEvent, { type: Type }> };

const wishOf = ({ event: { kind, isForced, isPeriodic, savepoint } }: EventOf<'checkpoint.requested'>) => ({
  ...{ kind, isForced, isPeriodic },
  ...(savepoint !== undefined && { savepoint }),
});

const submit = (isTriggering: boolean) =>
  ({
    type: 'submit',
    params: (args: EventOf<'checkpoint.requested'>) => ({ wish: wishOf(args), isTriggering }),
  }) as const;

const refuse = (reason: 'stopped') =>
  ({
    type: 'refuse',
    params: (args: EventOf<'checkpoint.requested'>) => ({ wish: wishOf(args), reason }),
  }) as const;

const periodic = { kind: 'checkpoint', isForced: false, isPeriodic: true } as const;

const complete = { type: 'complete', params: told<EventOf<'checkpoint.completed'>['event']> } as const;
const fail = { type: 'fail', params: told<EventOf<'checkpoint.failed'>['event']> } as const;

/** CQ2. */
const endAll = (reason: 'failover' | 'stopped') =>
  [
    { type: 'refuseQueue', params: { reason } },
    { type: 'abortAll', params: { reason } },
  ] as const;

export const checkpointCoordinatorMachine = coordinatorSetup.createMachine({
  id: 'checkpointCoordinator',
  context: ({ input }) => ({
    ...input,
    requestCount: 0,
    queue: [],
    next: undefined,
    triggering: undefined,
    pending: [],
    lastCompletedMs: undefined,
    failures: noFailures,
    tickMs: 0,
  }),
  initial: 'open',
  states: {
    open: {
      type: 'parallel',
      on: { 'coordinator.stop': 'stopped' },
      states: {
        timer: {
          initial: 'off',
          on: { 'component.disturbed': { target: '.off', actions: endAll('failover') } },
          states: {
            off: {
              on: {
                'component.running': 'on',
                'checkpoint.due': {
                  actions: { type: 'refuse', params: { wish: periodic, reason: 'periodicStopped' } },
                },
              },
            },
            on: {
              entry: 'setTick',
              on: {
                'component.finished': 'off',
              },
              initial: 'waiting',
              states: {
                waiting: {
                  invoke: {
                    src: 'delay',
                    input: ({ context: { clock, tickMs } }) => ({ clock, untilMs: tickMs }),
                  },
                  on: {
                    'delay.elapsed': { target: 'waiting', reenter: true, actions: ['setTick', 'dueNow'] },
                    'checkpoint.due': [{ guard: 'isPeriodicQueued' }, { actions: 'requestPeriodic' }],
                    'checkpoint.postponed': { target: 'waiting', reenter: true },
                  },
                },
              },
            },
          },
        },
        trigger: {
          initial: 'free',
          states: {
            free: {
              always: { guard: 'hasNext', target: 'triggering' },
              on: {
                'checkpoint.requested': { actions: submit(false) },
                'checkpoint.completed': { actions: [complete, 'chooseNext'] },
                'checkpoint.failed': { actions: [fail, 'chooseNext'] },
                'checkpoint.cleaned': { actions: 'chooseNext' },
              },
            },
            /** CQ3. */
            triggering: {
              entry: 'spawnNext',
              on: {
                'checkpoint.requested': { actions: submit(true) },
                'checkpoint.triggered': {
                  target: 'free',
                  actions: [{ type: 'addPending', params: told }, 'chooseNext'],
                },
                'checkpoint.completed': { actions: complete },
                'checkpoint.failed': [
                  {
                    guard: { type: 'isOfNext', params: told<EventOf<'checkpoint.failed'>['event']> },
                    target: 'free',
                    actions: ['dropTriggering', fail, 'chooseNext'],
                  },
                  { actions: fail },
                ],
              },
            },
          },
        },
      },
    },
    stopped: {
      entry: endAll('stopped'),
      on: {
        'checkpoint.requested': { actions: refuse('stopped') },
        'checkpoint.due': { actions: { type: 'refuse', params: { wish: periodic, reason: 'stopped' } } },
        'checkpoint.completed': { actions: complete },
        'checkpoint.failed': { actions: fail },
      },
    },
  },
});

export type CheckpointCoordinatorRef = ActorRefFrom<typeof checkpointCoordinatorMachine>;

/** The implementations that the coordinator chart names. */
export type CoordinatorActions = NonNullable<Parameters<typeof checkpointCoordinatorMachine.provide>[0]['actions']>;
