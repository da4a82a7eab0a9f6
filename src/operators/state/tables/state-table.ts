import type { CheckpointId } from '../../../ids.ts';
import type { Cell, VersionedCell } from './cell.ts';
import type { FrozenTable } from './frozen-table.ts';
import type { BlockContent, Pack } from './table-block.ts';
import type { TableRun } from './table-state.ts';

/**
 * Where a loop finds the accumulator of a key: in a cell of the `front` of its table; or it asks for the cell with `recall`
 * if it is missing there, or is outdated, which is not of the `version`, and so may not be changed as it is; or without
 * a cell, among the `objects` of a {@link FoldTable}.
 */
export type TableAccess = 'cells' | 'missing' | 'outdated' | 'objects';

/** State by key, in cells that change in place, wherever it is kept. */
export interface StateTable {
  /** The cells that may be changed, unless {@link access} says otherwise. Only {@link add} adds one. */
  readonly front: Map<unknown, Cell>;
  /** Changes only when it is frozen. */
  readonly version: number;
  /** That of its keys: in which they got their cells, or that of their bytes. */
  readonly order: 'appearance' | 'bytes';
  /** A loop is made for one of these. It changes between two batches. */
  readonly access: TableAccess;
  /** The cell of a key, as one that may be changed; undefined if it has none. */
  recall(key: unknown): Cell | undefined;
  /** The new cell of a key that has none. */
  add(key: unknown, accumulator: unknown): Cell;
  /** The cell of a key, as one whose value the caller may change; undefined if it has none. */
  own(key: unknown): Cell | undefined;
  /** The cell of a key, whose value the caller does not change; undefined if it has none. */
  peek(key: unknown): Cell | undefined;
  /** Goes through all keys. Meanwhile the table may change: a key that gets or loses a cell may come, or not. */
  walk(): IterableIterator<unknown>;
  set(key: unknown, accumulator: unknown): void;
  delete(key: unknown): void;
  /** Puts back what a key has now, when it is called. */
  undoOf(key: unknown): () => void;
  /** All cells, in an order that depends on nothing but what was done. From now on, no key may get one. */
  entries(): IterableIterator<[unknown, Cell]>;
  /** All keys, in the same order. */
  keys(): unknown[];
  /**
   * The table as it is now, for a checkpoint. The caller releases it.
   *
   * @param pack packs values; throws for what is not plain data
   */
  freeze(checkpoint: CheckpointId, pack: Pack): FrozenTable;
  /** A checkpoint is complete, and later ones may refer to its runs; or it never will be. */
  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void;
  /** Takes over the cells of a restored state. @param runs where they are stored, if the next checkpoint may refer to that */
  restore(cells: Map<unknown, VersionedCell>, runs?: readonly TableRun[]): void;
  /** Takes over a state that was read into its backend. */
  adopt(loaded: LoadedElsewhere, runs?: readonly TableRun[]): void;
  /** It is needed no more. Idempotent. */
  close(): void;
}

/** A keyed state that is being read, run by run. */
export interface TableLoading {
  /** @param isMine whether the task has this key; default: all of them */
  addRun(
    blocks: Iterable<BlockContent> | AsyncIterable<BlockContent>,
    isMine?: (key: unknown) => boolean,
  ): Promise<void>;
  done(runs: readonly TableRun[] | undefined): LoadedElsewhere;
  /** It could not be read as a whole. */
  abandon(): void;
}

/** A keyed state that was read into a backend. A table takes it over, or it is disposed of. */
export interface LoadedElsewhere {
  readonly kind: 'elsewhere';
  /** Where it is stored, if later checkpoints may refer to that. */
  readonly runs: readonly TableRun[] | undefined;
  entries(): IterableIterator<[unknown, Cell]>;
  /** Nobody has taken it over. Idempotent; does nothing once somebody has. */
  dispose(): void;
}

/** Where the tables of an executor are kept. */
export interface StateBackend {
  /** Undefined once it is ready. @throws UnrecoverableError without its package; StateBackendError (as rejections) */
  load(): Promise<void> | undefined;
  /** @param uid of the operator whose state it is */
  createTable(uid: string): StateTable;
  /** For a state that is too large for memory; undefined for one that is not. */
  beginLoading(runs: readonly TableRun[]): TableLoading | undefined;
  /** All tables are gone, and so is what they left. */
  dispose(): Promise<void>;
}
