import type { StoredPiece } from '../../../checkpoints/checkpoint-storage.ts';

/** Number of key groups: equal, contiguous ranges of the hashes of keys. */
export const keyGroupCount = 128;

/** Some entries of one key group, of a run. Plain data. */
export interface TableBlock {
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
