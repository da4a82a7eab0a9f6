import type { CheckpointId } from '../../../ids.ts';
import { gone, type VersionedCell } from './cell.ts';

/** Cells without an accumulator that stay in a list, at most, if the others are fewer. */
const fewGone = 64;

/** What changed in a table between two checkpoints. Nobody changes it once the later one has begun. */
export class TableChanges {
  /** The first checkpoint that has it; undefined until that begins. */
  checkpoint: CheckpointId | undefined;
  /** Keys that lost a cell that they had before. They may have a new one in `cells`. */
  readonly deleted = new Set<unknown>();
  /** Of each of `cells`. */
  readonly keys: unknown[] = [];
  /** Those that were changed, made or lost, in the order in which that began. Some may be {@link gone}. */
  readonly cells: VersionedCell[] = [];
  #goneCount = 0;

  /** Most entries of it that are written. */
  get size(): number {
    return this.deleted.size + this.cells.length - this.#goneCount;
  }

  add(key: unknown, cell: VersionedCell): void {
    this.keys.push(key);
    this.cells.push(cell);
  }

  /** One of `cells` is gone. */
  lose(): void {
    if (++this.#goneCount < fewGone + this.cells.length / 2) return;
    let count = 0;
    for (const [index, cell] of this.cells.entries()) {
      if (cell.accumulator === gone) continue;
      this.keys[count] = this.keys[index];
      this.cells[count++] = cell;
    }
    this.keys.length = this.cells.length = count;
    this.#goneCount = 0;
  }
}
