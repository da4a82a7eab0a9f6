import type { Partitioning } from '../operator-description.ts';

/** How the records of one edge are assigned to subpartitions. */
export type ChannelSelection =
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'broadcast' }
  | { readonly kind: 'hash'; readonly keyOf: (record: never) => unknown; readonly passesErrors?: boolean };

/** How a writer selects a subpartition. */
export function selectionOf(partitioning: Partitioning): ChannelSelection {
  switch (partitioning.kind) {
    case 'hash':
    case 'broadcast':
      return partitioning;
    default:
      return { kind: 'round-robin' };
  }
}
