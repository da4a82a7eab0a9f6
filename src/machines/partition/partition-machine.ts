import { type ActorRefFrom, setup } from 'xstate';
import type { PartitionState } from '../../actors/protocol/states.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { placeholder } from '../placeholder.ts';
import { tapped } from '../state-tap.ts';

/**
 * The partition chart: what is written for one edge by one attempt of a task, and by those that produce the same again,
 * from its registration until nothing of it is held any more. The place that holds the bytes drives it.
 *
 * P1 What it holds is freed exactly once, whichever way it ends.
 * P2 `released` is never left; `lost` only by its release, or by an attempt that produces it again.
 * P3 What is truncated is never complete: only an attempt that produces it again leads out of it.
 * P4 What is promoted belongs to the job no more, and stays.
 */

/** What holds the bytes. */
export interface PartitionStorage {
  release(): void;
}

export interface PartitionInput {
  readonly id: ResultPartitionId;
  readonly storage: PartitionStorage;
}

export type PartitionContext = PartitionInput & { cause: Error | undefined };

export type PartitionEvent =
  /** Its task runs. */
  | { readonly type: 'partition.produce' }
  /** Its task finished: the result is complete. */
  | { readonly type: 'partition.finish' }
  /** Nobody needs the rest of it, which is dropped or not produced. */
  | { readonly type: 'partition.curtail' }
  /** Some of it is gone or unreadable. */
  | { readonly type: 'partition.lose'; readonly cause: Error }
  /** The next attempt of its task produces it again. */
  | { readonly type: 'partition.resume'; readonly id: ResultPartitionId; readonly storage: PartitionStorage }
  /** It is kept beyond its job. */
  | { readonly type: 'partition.promote' }
  /** Nobody needs it any more. */
  | { readonly type: 'partition.release' };

const partitionSetup = setup({
  types: {} as { context: PartitionContext; events: PartitionEvent; input: PartitionInput; tags: 'readable' },
  actions: {
    recordState: (_, _params: { state: PartitionState }) => placeholder('partition', 'recordState'),
    /** Frees memory and files. */
    freeStorage: ({ context }) => {
      context.storage.release();
    },
  },
});

const anyEnd = {
  'partition.lose': {
    target: 'lost',
    actions: partitionSetup.assign(({ event }) => (event.type === 'partition.lose' ? { cause: event.cause } : {})),
  },
  'partition.resume': {
    target: 'created',
    actions: partitionSetup.assign(({ event }) =>
      event.type === 'partition.resume' ? { id: event.id, storage: event.storage, cause: undefined } : {},
    ),
  },
  'partition.release': { target: 'released', actions: 'freeStorage' },
} as const;

const chart = partitionSetup.createMachine({
  id: 'partition',
  context: ({ input }) => ({ ...input, cause: undefined }),
  initial: 'created',
  states: {
    created: {
      on: { ...anyEnd, 'partition.produce': 'producing', 'partition.curtail': 'truncated' },
    },
    producing: {
      on: { ...anyEnd, 'partition.finish': 'finished', 'partition.curtail': 'truncated' },
    },
    /** Those who were reading have what they need. Its producer may still be at work for others. */
    truncated: { on: anyEnd },
    finished: {
      tags: 'readable',
      on: { ...anyEnd, 'partition.promote': 'promoted' },
    },
    lost: {
      on: { 'partition.resume': anyEnd['partition.resume'], 'partition.release': anyEnd['partition.release'] },
    },
    released: {},
    promoted: {},
  },
});

export const partitionMachine = tapped(chart);

export type PartitionActorRef = ActorRefFrom<typeof partitionMachine>;
