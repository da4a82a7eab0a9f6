import { type ActorRefFrom, setup } from 'xstate';
import type { ResultFact } from '../../actors/protocol/messages.ts';
import type { PartitionState } from '../../actors/protocol/states.ts';
import type { ResultStorage, storageActor, StorageTrace } from '../../actors/storage-actor.ts';
import type { AttemptNumber, ResultPartitionId } from '../../ids.ts';
import { placeholderLogic } from '../placeholder.ts';

/**
 * The partition chart: a result, from the attempt that begins it through all that reproduce it. It owns its state at the
 * executor that its producer runs on, and holds its storage as an actor. Tasks and the storage tell it what happens, the
 * master by messages what is to become of it; it tells the master what became of it by itself.
 *
 * P1 Its storage is freed exactly once, when it is released, whether it was lost before or not.
 * P2 Released or lost, only an attempt that produces it again leads back; lost, also its release.
 * P3 What is truncated is never complete: only an attempt that produces it again leads out of it. What is complete stays so
 *    while an attempt reproduces it.
 * P4 What is promoted belongs to the job no more, and stays.
 * P5 What becomes of it by itself (truncated, traceless, reclaimed) it reports once, of its present attempt. What the master
 *    told it to do it does not report.
 * P6 It is reclaimed only by the master's leave, which ends when an attempt produces it again.
 */

/** Where a result is: at the executor of its producer, which reports to the master. */
export interface PartitionExecutor {
  readonly report: (fact: ResultFact) => void;
}

export interface PartitionInput {
  readonly id: ResultPartitionId;
  readonly storage: ResultStorage;
  readonly executor: PartitionExecutor;
}

export interface PartitionContext {
  /** As its latest attempt writes it. */
  id: ResultPartitionId;
  /** The attempt that began it; those after it reproduce it. */
  readonly firstAttempt: AttemptNumber;
  /** What its latest attempt writes to: its storage, or once it is released something that keeps nothing. */
  output: ResultStorage;
  executor: PartitionExecutor;
  /** What is left of it once it is released. */
  trace: StorageTrace | undefined;
  /** Whether it may be reclaimed, and what is left of it then. */
  reclaim: 'never' | 'traced' | 'traceless';
  /** Why it is lost. */
  cause: Error | undefined;
  startedMs: number;
  /** How long its slowest attempt took: what it would cost to recompute it. */
  producedMs: number;
}

interface NextAttempt extends PartitionInput {
  readonly type: 'partition.resume' | 'partition.repeat';
}

export type PartitionEvent =
  /** Its task runs. */
  | { readonly type: 'partition.produce'; readonly atMs: number }
  /** Its task finished. */
  | { readonly type: 'partition.finish'; readonly atMs: number }
  /** Its beginning was dropped, or its end will not be produced. */
  | { readonly type: 'partition.truncate' }
  /** Some of it is gone or unreadable. */
  | { readonly type: 'partition.lose'; readonly cause: Error }
  /** The next attempt of its task produces it again: it takes over what is there. */
  | (NextAttempt & { readonly type: 'partition.resume' })
  /** As above, of a result that no consumer needs: it stays released, and what is written is compared with its trace. */
  | (NextAttempt & { readonly type: 'partition.repeat' })
  /** It is kept beyond its job. */
  | { readonly type: 'partition.promote' }
  /** No consumer needs it. With `traced`, its producer may run again all the same. */
  | { readonly type: 'partition.release'; readonly traced: boolean }
  /** Its executor needs room. */
  | { readonly type: 'partition.reclaim' }
  | { readonly type: 'partition.allowReclaim'; readonly traced: boolean }
  /** A consumer reads it again. */
  | { readonly type: 'partition.forbidReclaim' };

const base = setup({
  types: {} as {
    context: PartitionContext;
    events: PartitionEvent;
    input: PartitionInput;
    children: { storage: 'storage' };
    /** The state, whatever it is part of; `held` where there is something to read. */
    tags: 'held' | PartitionState;
  },
  actors: { storage: placeholderLogic<typeof storageActor>('partition', 'storage') },
  guards: {
    isTraced: ({ event }) => event.type === 'partition.release' && event.traced,
    mayBeReclaimedTraced: ({ context }) => context.reclaim === 'traced',
    mayBeReclaimed: ({ context }) => context.reclaim !== 'never',
    leftNoTrace: ({ context }) => context.trace === undefined,
  },
});

const { assign } = base;

const partitionSetup = base.extend({
  actions: {
    reportTruncated: ({ context: { executor, id } }) => executor.report({ type: 'result.truncated', id }),
    reportTraceless: ({ context: { executor, id } }) => executor.report({ type: 'result.traceless', id }),
    reportReclaimed: ({ context: { executor, id } }) => executor.report({ type: 'results.reclaimed', ids: [id] }),
    takeTrace: assign(({ context: { output, reclaim }, event }) => {
      const isWanted = event.type === 'partition.release' ? event.traced : reclaim === 'traced';
      return isWanted && isTraceable(output) ? { trace: output.trace() } : {};
    }),
    takeCause: assign(({ event }) => (event.type === 'partition.lose' ? { cause: event.cause } : {})),
    takeAttempt: assign(({ event }) => {
      if (event.type !== 'partition.resume' && event.type !== 'partition.repeat') return {};
      const { id, storage, executor } = event;
      return { id, output: storage, executor, reclaim: 'never', cause: undefined };
    }),
    forgetTrace: assign({ trace: undefined }),
    handOver: base.sendTo('storage', ({ context }) => ({ type: 'storage.resume', storage: context.output })),
    allowReclaim: assign(({ event }) =>
      event.type === 'partition.allowReclaim' ? { reclaim: event.traced ? 'traced' : 'traceless' } : {},
    ),
    forbidReclaim: assign({ reclaim: 'never' }),
    noteStart: assign(({ event }) => (event.type === 'partition.produce' ? { startedMs: event.atMs } : {})),
    noteEnd: assign(({ context: { startedMs, producedMs }, event }) =>
      event.type === 'partition.finish' ? { producedMs: Math.max(producedMs, event.atMs - startedMs) } : {},
    ),
  },
});

/** Whether another output can be compared with what was written. */
function isTraceable(storage: ResultStorage): storage is ResultStorage & { trace(): StorageTrace | undefined } {
  return 'trace' in storage;
}

export const partitionMachine = partitionSetup.createMachine({
  id: 'partition',
  context: ({ input: { id, storage, executor } }) => ({
    id,
    firstAttempt: id.attempt,
    output: storage,
    executor,
    trace: undefined,
    reclaim: 'never',
    cause: undefined,
    startedMs: 0,
    producedMs: 0,
  }),
  initial: 'held',
  states: {
    held: {
      tags: 'held',
      invoke: { src: 'storage', id: 'storage', input: ({ context }) => ({ storage: context.output }) },
      // Before its storage is stopped, which is after the exit.
      exit: 'takeTrace',
      initial: 'owned',
      states: {
        /** It belongs to the job. */
        owned: {
          on: {
            'partition.truncate': { target: '.truncated', actions: 'reportTruncated' },
            'partition.lose': { target: '.lost', actions: 'takeCause' },
            'partition.resume': { target: '.created', actions: ['takeAttempt', 'handOver'] },
            'partition.release': [
              { guard: 'isTraced', target: '#partition.released.traced' },
              { target: '#partition.released.traceless' },
            ],
            'partition.reclaim': [
              { guard: 'mayBeReclaimedTraced', target: '#partition.released.traced', actions: 'reportReclaimed' },
              { guard: 'mayBeReclaimed', target: '#partition.released.traceless', actions: 'reportReclaimed' },
            ],
            'partition.allowReclaim': { actions: 'allowReclaim' },
            'partition.forbidReclaim': { actions: 'forbidReclaim' },
          },
          initial: 'created',
          states: {
            created: { tags: 'created', on: { 'partition.produce': { target: 'producing', actions: 'noteStart' } } },
            producing: { tags: 'producing', on: { 'partition.finish': { target: 'finished', actions: 'noteEnd' } } },
            finished: {
              tags: 'finished',
              on: {
                'partition.resume': { actions: ['takeAttempt', 'handOver'] },
                'partition.produce': { actions: 'noteStart' },
                'partition.finish': { actions: 'noteEnd' },
                'partition.promote': '#partition.held.promoted',
              },
            },
            /** Running consumers continue; a restarted one cannot read it. */
            truncated: { tags: 'truncated', on: { 'partition.truncate': {} } },
            lost: { tags: 'lost', on: { 'partition.truncate': {}, 'partition.lose': {} } },
          },
        },
        promoted: { tags: 'promoted' },
      },
    },
    released: {
      tags: 'released',
      on: {
        'partition.resume': { target: 'held', actions: ['takeAttempt', 'forgetTrace'] },
        'partition.repeat': { actions: 'takeAttempt' },
      },
      initial: 'traceless',
      states: {
        /** What it takes to compare another output with it is left. */
        traced: { always: { guard: 'leftNoTrace', target: 'traceless', actions: 'reportTraceless' } },
        traceless: {},
      },
    },
  },
});

export type PartitionActorRef = ActorRefFrom<typeof partitionMachine>;
