import { keyGroupCount, keyGroupOf } from '../../../partitions/records/key-hash.ts';
import type { StoredPiece } from '../../../checkpoints/checkpoint-storage.ts';

/** How many adjacent key groups are stored together. */
const groupsTogether = 256;

/** Number of those stretches. */
export const stretchCount = keyGroupCount / groupsTogether;

/** The stretch in which the entry of a key is stored. */
export function stretchOf(key: unknown): number {
  return Math.floor(keyGroupOf(key) / groupsTogether);
}

/** The stretches that have some of these key groups. */
export function stretchesOfGroups({ first, end }: { readonly first: number; readonly end: number }) {
  return { first: Math.floor(first / groupsTogether), last: Math.floor((end - 1) / groupsTogether) };
}

/** Some entries of one stretch of key groups, of a run. Plain data. */
export interface TableBlock {
  /** The stretch. */
  readonly group: number;
  /** Its length. */
  readonly bytes: number;
  /** Encoded by {@link encodeBlock}; or its offset in the piece of its run. */
  readonly at: Uint8Array | number;
}

/**
 * Entries that were written together: those that had changed since the run before. `piece` is undefined as long as it is
 * being written, and for blocks that travel with the state.
 */
export interface TableRun {
  readonly piece: StoredPiece | undefined;
  readonly blocks: readonly TableBlock[];
  readonly entries: number;
}

/** A keyed state as it is stored: the runs, oldest first. Of a key that is in several, the latest counts. */
export interface TableState {
  readonly kind: 'table';
  readonly runs: readonly TableRun[];
}
