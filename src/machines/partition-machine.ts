import { type ActorRefFrom, setup } from 'xstate';
import type { ResultPartitionId } from '../ids.ts';
import { placeholder } from './placeholder.ts';

/**
 * The partition chart: what one attempt of one task writes for one edge, from its registration until nothing of it is
 * held any more. The place that holds the bytes drives it.
 *
 * P1 What it holds is given up exactly once, whichever way it ends.
 * P2 `released` is never left; `lost` only by its release.
 */
export const partitionStates = ['created', 'producing', 'finished', 'lost', 'released'] as const;

export type PartitionState = (typeof partitionStates)[number];

export interface PartitionInput {
  readonly id: ResultPartitionId;
}

export type PartitionContext = PartitionInput & { cause: Error | undefined };

export type PartitionEvent =
  /** Its task runs. */
  | { readonly type: 'partition.produce' }
  /** Its task finished: the result is complete. */
  | { readonly type: 'partition.finish' }
  /** Some of it is gone or unreadable. */
  | { readonly type: 'partition.lose'; readonly cause: Error }
  /** Nobody needs it any more. */
  | { readonly type: 'partition.release' };

const partitionSetup = setup({
  types: {} as { context: PartitionContext; events: PartitionEvent; input: PartitionInput; tags: 'readable' },
  actions: {
    recordState: (_, _params: { state: PartitionState }) => placeholder('partition', 'recordState'),
    /** Frees memory and files. */
    freeStorage: () => placeholder('partition', 'freeStorage'),
  },
});

const loseOrRelease = {
  'partition.lose': {
    target: 'lost',
    actions: partitionSetup.assign(({ event }) => (event.type === 'partition.lose' ? { cause: event.cause } : {})),
  },
  'partition.release': { target: 'released', actions: 'freeStorage' },
} as const;

export const partitionMachine = partitionSetup.createMachine({
  id: 'partition',
  context: ({ input }) => ({ ...input, cause: undefined }),
  initial: 'created',
  states: {
    created: {
      entry: { type: 'recordState', params: { state: 'created' } },
      on: { ...loseOrRelease, 'partition.produce': 'producing' },
    },
    producing: {
      entry: { type: 'recordState', params: { state: 'producing' } },
      on: { ...loseOrRelease, 'partition.finish': 'finished' },
    },
    finished: {
      tags: 'readable',
      entry: { type: 'recordState', params: { state: 'finished' } },
      on: loseOrRelease,
    },
    lost: {
      entry: [{ type: 'recordState', params: { state: 'lost' } }, 'freeStorage'],
      on: { 'partition.release': 'released' },
    },
    released: { entry: { type: 'recordState', params: { state: 'released' } } },
  },
});

export type PartitionActorRef = ActorRefFrom<typeof partitionMachine>;
