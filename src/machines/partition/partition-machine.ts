import { type ActorRefFrom, assign, setup } from 'xstate';
import type { ResultFact } from '../../actors/protocol/messages.ts';
import type { PartitionState } from '../../actors/protocol/states.ts';
import type { ResultStorage, storageActor, StorageTrace } from '../../actors/storage-actor.ts';
import type { AttemptNumber, ResultPartitionId } from '../../ids.ts';
import { placeholderLogic } from '../placeholder.ts';
import { told } from '../told.ts';

/**
 * The partition chart: a result, from its first attempt through all attempts that reproduce it. It owns the state of
 * the result at the producer's executor, and its storage as an actor. Tasks and the storage report events to it, the
 * master commands it by messages, and it reports facts to the master.
 *
 * P1 Its storage is freed exactly once, on release, even if it was lost before.
 * P2 A released or lost result returns only through an attempt that produces it again; a lost one may also be released.
 * P3 A truncated result is never complete; only an attempt that produces it again leads out of that state. A complete
 *   result stays complete while an attempt reproduces it.
 * P4 A promoted result no longer belongs to the job, and stays.
 * P5 It reports facts (truncated, traceless, reclaimed) once per attempt, and does not report the outcome of the
 *   master's commands.
 * P6 It is reclaimed only with the master's permission, which ends when an attempt produces it again.
 */

/** The executor of a result's producer, which reports to the master. */
export interface PartitionExecutor {
  readonly report: (fact: ResultFact) => void;
}

/** What an attempt brings: the storage it writes, and its executor. */
interface AttemptOutput {
  readonly id: ResultPartitionId;
  readonly storage: ResultStorage;
  readonly executor: PartitionExecutor;
}

export interface PartitionInput extends AttemptOutput {
  /** Its first attempt: `id`'s, or an earlier one that it reproduces and whose result never was registered. */
  readonly firstAttempt: AttemptNumber;
}

export interface PartitionContext {
  /** Its id, by its latest attempt. */
  id: ResultPartitionId;
  /** Its first attempt, which later ones reproduce. */
  readonly firstAttempt: AttemptNumber;
  /** The target of its latest attempt: its storage, or after its release a partition that discards records. */
  output: ResultStorage;
  executor: PartitionExecutor;
  /** The trace that remains after its release. */
  trace: StorageTrace | undefined;
  /** Whether it may be reclaimed, and whether a trace remains then. */
  reclaim: 'never' | 'traced' | 'traceless';
  /** Why it is lost. */
  cause: Error | undefined;
  startedMs: number;
  /** Duration of its slowest attempt: the estimated cost of recomputing it. */
  producedMs: number;
}

interface NextAttempt extends AttemptOutput {
  readonly type: 'partition.resume' | 'partition.repeat';
}

export type PartitionEvent =
  /** Its task runs. */
  | { readonly type: 'partition.produce'; readonly atMs: number }
  /** Its task finished. */
  | { readonly type: 'partition.finish'; readonly atMs: number }
  /** Its beginning was dropped, or its end will not be produced. */
  | { readonly type: 'partition.truncate' }
  /** A part of it is missing or unreadable. */
  | { readonly type: 'partition.lose'; readonly cause: Error }
  /** The next attempt of its task reproduces it and takes over its storage. */
  | (NextAttempt & { readonly type: 'partition.resume' })
  /**
   * As above, for a result that no consumer needs: it stays released, and the new records are compared with its trace.
   */
  | (NextAttempt & { readonly type: 'partition.repeat' })
  /** It is kept beyond its job. */
  | { readonly type: 'partition.promote' }
  /** No consumer needs it. With `traced`, its producer may still run again. */
  | { readonly type: 'partition.release'; readonly traced: boolean }
  /** Its executor needs space. */
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
    /** The state without its parents, and whether the result is readable (`held`). */
    tags: 'held' | PartitionState;
  },
  actors: { storage: placeholderLogic<typeof storageActor>('partition', 'storage') },
  guards: {
    isTraced: (_, { traced }: { traced: boolean }) => traced,
    mayBeReclaimedTraced: ({ context }) => context.reclaim === 'traced',
    mayBeReclaimed: ({ context }) => context.reclaim !== 'never',
    leftNoTrace: ({ context }) => context.trace === undefined,
  },
});

const partitionSetup = base.extend({
  actions: {
    reportTruncated: ({ context: { executor, id } }) => executor.report({ type: 'result.truncated', id }),
    reportTraceless: ({ context: { executor, id } }) => executor.report({ type: 'result.traceless', id }),
    reportReclaimed: ({ context: { executor, id } }) => executor.report({ type: 'results.reclaimed', ids: [id] }),
    takeTrace: assign(({ context: { output } }, { isWanted }: { isWanted: boolean }) =>
      isWanted && isTraceable(output) ? { trace: output.trace() } : {},
    ),
    takeCause: assign((_, { cause }: { cause: Error }) => ({ cause })),
    takeAttempt: assign((_, { id, storage, executor }: AttemptOutput) => ({
      id,
      output: storage,
      executor,
      reclaim: 'never',
      cause: undefined,
    })),
    forgetTrace: assign({ trace: undefined }),
    handOver: base.sendTo('storage', ({ context }) => ({ type: 'storage.resume', storage: context.output })),
    allowReclaim: assign((_, { traced }: { traced: boolean }) => ({ reclaim: traced ? 'traced' : 'traceless' })),
    forbidReclaim: assign({ reclaim: 'never' }),
    noteStart: assign((_, { atMs }: { atMs: number }) => ({ startedMs: atMs })),
    noteEnd: assign(({ context: { startedMs, producedMs } }, { atMs }: { atMs: number }) => ({
      producedMs: Math.max(producedMs, atMs - startedMs),
    })),
  },
});

/** Whether a second output can be compared with this one. */
function isTraceable(storage: ResultStorage): storage is ResultStorage & { trace(): StorageTrace | undefined } {
  return 'trace' in storage;
}

type EventOf<Type extends PartitionEvent['type']> = Extract<PartitionEvent, { type: Type }>;

/** Told to, or by the master's permission: whether a trace remains of a result that is released. */
const isTraceWanted = ({ context, event }: { context: PartitionContext; event: PartitionEvent }) => ({
  isWanted: event.type === 'partition.release' ? event.traced : context.reclaim === 'traced',
});

const takeAttempt = { type: 'takeAttempt', params: told<EventOf<'partition.resume' | 'partition.repeat'>> } as const;
const noteStart = { type: 'noteStart', params: told<EventOf<'partition.produce'>> } as const;
const noteEnd = { type: 'noteEnd', params: told<EventOf<'partition.finish'>> } as const;

export const partitionMachine = partitionSetup.createMachine({
  id: 'partition',
  context: ({ input: { id, firstAttempt, storage, executor } }) => ({
    id,
    firstAttempt,
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
      // Must run before the storage is stopped, which happens after the exit actions.
      exit: { type: 'takeTrace', params: isTraceWanted },
      initial: 'owned',
      states: {
        /** It belongs to the job. */
        owned: {
          on: {
            'partition.truncate': { target: '.truncated', actions: 'reportTruncated' },
            'partition.lose': { target: '.lost', actions: { type: 'takeCause', params: told } },
            'partition.resume': { target: '.created', actions: [takeAttempt, 'handOver'] },
            'partition.release': [
              { guard: { type: 'isTraced', params: told }, target: '#partition.released.traced' },
              { target: '#partition.released.traceless' },
            ],
            'partition.reclaim': [
              { guard: 'mayBeReclaimedTraced', target: '#partition.released.traced', actions: 'reportReclaimed' },
              { guard: 'mayBeReclaimed', target: '#partition.released.traceless', actions: 'reportReclaimed' },
            ],
            'partition.allowReclaim': { actions: { type: 'allowReclaim', params: told } },
            'partition.forbidReclaim': { actions: 'forbidReclaim' },
          },
          initial: 'created',
          states: {
            created: { tags: 'created', on: { 'partition.produce': { target: 'producing', actions: noteStart } } },
            producing: { tags: 'producing', on: { 'partition.finish': { target: 'finished', actions: noteEnd } } },
            finished: {
              tags: 'finished',
              on: {
                'partition.resume': { actions: [takeAttempt, 'handOver'] },
                'partition.produce': { actions: noteStart },
                'partition.finish': { actions: noteEnd },
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
        'partition.resume': { target: 'held', actions: [takeAttempt, 'forgetTrace'] },
        'partition.repeat': { actions: takeAttempt },
      },
      initial: 'traceless',
      states: {
        /** A trace remains for comparison with a second output. */
        traced: { always: { guard: 'leftNoTrace', target: 'traceless', actions: 'reportTraceless' } },
        traceless: {},
      },
    },
  },
});

export type PartitionActorRef = ActorRefFrom<typeof partitionMachine>;
