import type { CheckpointId } from '../../../ids.ts';
import type { TableRun } from './table-state.ts';

/** A run is written anew, with all keys, when the changes since then are as many as this part of them. */
const mostChanged = 0.5;

/** Most runs that a state consists of. */
const mostRuns = 12;

/** So many changes are always worth a run of their own. */
const fewChanges = 256;

/**
 * The runs of a table that are stored, by checkpoint, and to which of them the next one may refer.
 *
 * KT4 A table refers to earlier runs only if the end of every earlier checkpoint is known: a later one may have completed
 * that does not need them, and then they are discarded.
 */
export class RunHistory {
  /** The runs of the last completed checkpoint. */
  #stored: readonly TableRun[] | undefined;
  /** The checkpoints for which the table was frozen that are not known to have ended. */
  readonly #open = new Set<CheckpointId>();
  readonly #runsByCheckpoint = new Map<CheckpointId, readonly TableRun[]>();

  /** Whether a later checkpoint may be asked for what changes now, and no more than that. */
  get needsChanges(): boolean {
    return this.#stored !== undefined || this.#open.size > 0;
  }

  /**
   * A checkpoint begins.
   *
   * @param changed number of entries that changed since the last completed one
   * @returns the runs to which it refers; undefined if it is to be written as a whole. `isAnew`: what changed before it
   *   concerns no later one.
   */
  begin(
    checkpoint: CheckpointId,
    changed: number,
  ): { readonly before: readonly TableRun[] | undefined; readonly isAnew: boolean } {
    const isAlone = this.#open.size === 0;
    const before =
      isAlone && this.#stored !== undefined && !isWorthRewriting(this.#stored, changed) ? this.#stored : undefined;
    const isAnew = isAlone && before === undefined;
    if (isAnew) this.#stored = undefined;
    this.#open.add(checkpoint);
    return { before, isAnew };
  }

  written(checkpoint: CheckpointId, runs: readonly TableRun[]): void {
    this.#runsByCheckpoint.set(checkpoint, runs);
  }

  /** A checkpoint has ended. Returns whether later ones refer to its runs. */
  end(checkpoint: CheckpointId, isComplete: boolean): boolean {
    const runs = isComplete ? this.#runsByCheckpoint.get(checkpoint) : undefined;
    if (runs !== undefined) {
      this.#stored = runs;
      // An earlier one that has not ended never will be complete.
      for (const earlier of [...this.#open]) if (earlier <= checkpoint) this.#forget(earlier);
    }
    this.#forget(checkpoint);
    return runs !== undefined;
  }

  /** The table was restored from these runs. */
  restore(runs: readonly TableRun[]): void {
    this.#stored = runs;
  }

  #forget(checkpoint: CheckpointId): void {
    this.#open.delete(checkpoint);
    this.#runsByCheckpoint.delete(checkpoint);
  }
}

function isWorthRewriting(stored: readonly TableRun[], changed: number): boolean {
  const [first, ...changes] = stored.map(({ entries }) => entries);
  const entries = changes.reduce((sum, count) => sum + count, changed);
  return stored.length >= mostRuns || entries > mostChanged * (first ?? 0) + fewChanges;
}
