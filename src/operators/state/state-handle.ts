import type { StoredPiece } from '../../checkpoints/checkpoint-storage.ts';
import type { TaskState } from './task-state.ts';

/** The state of one attempt at a checkpoint: itself, or where it is stored. Plain data. */
export type WrittenHandle = (
  | { readonly kind: 'inline'; readonly state: TaskState }
  | ({
      readonly kind: 'stored';
      /** Of the chunk of the piece that has the state; the other chunks are blocks of keyed states. */
      readonly offset: number;
    } & StoredPiece)
) & {
  /** Pieces of earlier checkpoints to which it refers. Absent: none. */
  readonly references?: readonly StoredPiece[];
};
