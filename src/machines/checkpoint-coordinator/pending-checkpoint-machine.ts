import { type ActorRef, assign, type Snapshot, sendTo, setup } from 'xstate';
import type { DelayInput } from '../../actors/delay-actor.ts';
import type { CheckpointRequest } from '../../checkpoints/request-decider.ts';
import type { Clock } from '../../environment.ts';
import type { CheckpointId } from '../../ids.ts';
import type { CheckpointedComponent } from './checkpointed-component.ts';
import type { CheckpointProblem, PendingEvent, PendingToCoordinatorEvent } from './pending-events.ts';
import { placeholder, placeholderActor } from '../placeholder.ts';
import { told } from '../told.ts';

/**
 * The chart of one checkpoint of a component, from the decision to trigger it to its end. It counts the tasks that have
 * not acknowledged it; whose message counts, its component knows.
 *
 * CK1 It is complete once every task has acknowledged it, and exists once it is stored: then it is announced, not before.
 * CK2 Until it is complete it ends with the first decline, at its timeout, or when it is aborted.
 * CK3 Once it is complete only the storage decides, or its time is over: whoever wants to restart the component waits for that.
 *   A drain that is not stored for all components is given up when the run ends: whoever continues it reads on.
 * CK4 A checkpoint that failed leaves nothing: the states that its tasks have stored are discarded, and they are told once.
 */
export interface PendingInput {
  readonly request: CheckpointRequest;
  /** From the decision to the last acknowledgement, in ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly coordinator: ActorRef<Snapshot<unknown>, PendingToCoordinatorEvent>;
  readonly component: CheckpointedComponent;
}

export interface PendingContext extends PendingInput {
  /** Its number, once it has one. */
  checkpoint: CheckpointId | undefined;
  /** Number of tasks that have not acknowledged it. */
  openCount: number;
  failure: CheckpointProblem | undefined;
}

/** A checkpoint that its component knows by its number. */
interface Numbered {
  readonly checkpoint: CheckpointId;
}

const base = setup({
  types: {} as { context: PendingContext; events: PendingEvent; input: PendingInput },
  actors: { delay: placeholderActor<DelayInput>('pending checkpoint', 'delay') },
  actions: {
    /** Gives it a number; answered by `checkpoint.prepared` or `checkpoint.unprepared`. */
    prepare: () => placeholder('pending checkpoint', 'prepare'),
    /** Starts its barriers, if all tasks run; answered by `checkpoint.begun` or `checkpoint.unprepared`. */
    begin: (_, _params: Numbered) => placeholder('pending checkpoint', 'begin'),
    /** Stores it; answered by `checkpoint.stored` or `checkpoint.unstored`. */
    store: (_, _params: Numbered) => placeholder('pending checkpoint', 'store'),
    /** The run ends: gives up a drain, unless all components are stored; then answered by `checkpoint.unstored`. */
    giveUp: () => placeholder('pending checkpoint', 'giveUp'),
    /** Discards what was stored of it, and tells its tasks. */
    discard: (_, _params: { checkpoint: CheckpointId | undefined }) => placeholder('pending checkpoint', 'discard'),

    takeNumber: assign((_, { checkpoint }: Numbered) => ({ checkpoint })),
    awaitTasks: assign((_, { openCount }: { openCount: number }) => ({ openCount })),
    countAcknowledged: assign({ openCount: ({ context }) => context.openCount - 1 }),
    recordFailure: assign((_, failure: CheckpointProblem) => ({ failure })),
    reportTriggered: sendTo(
      ({ context }: { context: PendingContext }) => context.coordinator,
      ({ context: { request, checkpoint } }) => ({
        type: 'checkpoint.triggered' as const,
        request,
        checkpoint: checkpoint as CheckpointId,
      }),
    ),
    reportCompleted: sendTo(
      ({ context }: { context: PendingContext }) => context.coordinator,
      ({ context: { request, checkpoint } }) => ({
        type: 'checkpoint.completed' as const,
        request,
        checkpoint: checkpoint as CheckpointId,
      }),
    ),
    reportFailed: sendTo(
      ({ context }: { context: PendingContext }) => context.coordinator,
      ({ context: { request, checkpoint, failure } }) => ({
        type: 'checkpoint.failed' as const,
        request,
        checkpoint,
        ...(failure as CheckpointProblem),
      }),
    ),
  },
  guards: {
    isComplete: ({ context }) => context.openCount === 0,
    isOver: (_, { reason }: CheckpointProblem) => reason === 'stopped',
    isOvertaken: (_, { reason }: CheckpointProblem) => reason === 'subsumed',
  },
});

type EventOf<Type extends PendingEvent['type']> = { readonly event: Extract<PendingEvent, { type: Type }> };

const problemOf = ({
  event: { reason, vertex, cause },
}: EventOf<'checkpoint.unprepared' | 'checkpoint.declined' | 'checkpoint.unstored' | 'checkpoint.abort'>) => ({
  reason,
  vertex,
  cause,
});

const numbered = ({ context }: { context: PendingContext }): Numbered => ({
  checkpoint: context.checkpoint as CheckpointId,
});

const recordFailure = { type: 'recordFailure', params: problemOf } as const;
const discard = { type: 'discard', params: numbered } as const;

export const pendingCheckpointMachine = base.createMachine({
  id: 'pendingCheckpoint',
  context: ({ input }) => ({ ...input, checkpoint: undefined, openCount: 0, failure: undefined }),
  initial: 'underWay',
  states: {
    underWay: {
      invoke: {
        src: 'delay',
        input: ({ context: { clock, timeoutMs } }) => ({ clock, withinMs: timeoutMs }),
      },
      on: {
        'checkpoint.abort': [
          { guard: { type: 'isOvertaken', params: problemOf }, target: 'subsumed', actions: recordFailure },
          { target: 'aborted', actions: recordFailure },
        ],
        'delay.elapsed': 'expired',
      },
      initial: 'triggering',
      states: {
        triggering: {
          initial: 'preparing',
          on: { 'checkpoint.unprepared': { target: '#pendingCheckpoint.failed', actions: recordFailure } },
          states: {
            preparing: {
              entry: 'prepare',
              on: {
                'checkpoint.prepared': { target: 'beginning', actions: { type: 'takeNumber', params: told } },
              },
            },
            beginning: {
              entry: { type: 'begin', params: numbered },
              on: {
                'checkpoint.begun': {
                  target: '#collecting',
                  actions: [{ type: 'awaitTasks', params: told }, 'reportTriggered'],
                },
              },
            },
          },
        },
        collecting: {
          id: 'collecting',
          always: { guard: 'isComplete', target: '#pendingCheckpoint.completing' },
          on: {
            'checkpoint.acknowledged': { actions: 'countAcknowledged' },
            'checkpoint.declined': { target: '#pendingCheckpoint.declined', actions: recordFailure },
          },
        },
      },
    },
    completing: {
      entry: { type: 'store', params: numbered },
      on: {
        'checkpoint.stored': 'completed',
        'checkpoint.unstored': { target: 'failed', actions: recordFailure },
        'checkpoint.abort': { guard: { type: 'isOver', params: problemOf }, actions: 'giveUp' },
      },
    },
    completed: { type: 'final', entry: 'reportCompleted' },
    declined: { type: 'final', entry: [discard, 'reportFailed'] },
    expired: {
      type: 'final',
      entry: [{ type: 'recordFailure', params: { reason: 'expired' } }, discard, 'reportFailed'],
    },
    /** Its component restarts, or the run is over. */
    aborted: { type: 'final', entry: [discard, 'reportFailed'] },
    /** A later one completed before it. */
    subsumed: { type: 'final', entry: [discard, 'reportFailed'] },
    /** The master could not begin or store it. */
    failed: { type: 'final', entry: [discard, 'reportFailed'] },
  },
});

/** The implementations that the chart names. */
export type PendingActions = NonNullable<Parameters<typeof pendingCheckpointMachine.provide>[0]['actions']>;
