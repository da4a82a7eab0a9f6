import { copyState } from '../tables/copy-state.ts';
import type { Cell } from '../tables/cell.ts';

/** Changes that are not on disk yet: first the deletions, then the cells. */
export interface Generation {
  /** Number of checkpoints that the table had been frozen for. */
  readonly epoch: number;
  readonly cells: Map<unknown, Cell>;
  readonly deleted: Set<unknown>;
  /** Whether a frozen table may need it as it is. */
  isShared: boolean;
}

/** Changes of one generation that are written together. */
export interface Changes {
  readonly epoch: number;
  readonly deleted: readonly unknown[];
  readonly cells: readonly (readonly [key: unknown, cell: Cell])[];
}

interface Draining extends Generation {
  /** What is left of it to be written. */
  readonly deletions: Iterator<unknown>;
  readonly entries: Iterator<[unknown, Cell]>;
}

/** In place of a cell: the key was deleted. */
export const deleted: unique symbol = Symbol('deleted');

/**
 * The changes of a table that wait to be written to disk, in the order in which they were made. Each key is written after
 * what was there of it before, so the disk always has the state of some earlier time.
 */
export class Generations {
  /** Oldest first. */
  #list: Draining[] = [];
  /** Number of entries that are not written yet. */
  #left = 0;

  get left(): number {
    return this.#left;
  }

  /** Whether there are any that were set aside before an epoch. */
  hasBefore(epoch: number): boolean {
    const [oldest] = this.#list;
    return oldest !== undefined && oldest.epoch < epoch;
  }

  add(epoch: number, cells: Map<unknown, Cell>, deletions: Set<unknown>): void {
    if (cells.size === 0 && deletions.size === 0) return;
    this.#left += cells.size + deletions.size;
    const parts = { deletions: deletions.values(), entries: cells.entries() };
    this.#list.push({ epoch, cells, deleted: deletions, isShared: false, ...parts });
  }

  /** All of them, which nobody changes from now on. */
  share(): readonly Generation[] {
    for (const generation of this.#list) generation.isShared = true;
    return [...this.#list];
  }

  /** The cell of a key, which the caller does not change. */
  find(key: unknown): Cell | typeof deleted | undefined {
    for (let index = this.#list.length - 1; index >= 0; index--) {
      const generation = this.#list[index] as Draining;
      const cell = generation.cells.get(key);
      if (cell !== undefined) return cell;
      if (generation.deleted.has(key)) return deleted;
    }
    return undefined;
  }

  /** The cell of a key, as one that the caller may change, and puts in front. */
  take(key: unknown): Cell | typeof deleted | undefined {
    for (let index = this.#list.length - 1; index >= 0; index--) {
      const { cells, deleted: deletions, isShared } = this.#list[index] as Draining;
      const cell = cells.get(key);
      if (cell !== undefined && isShared) return { accumulator: copyState(cell.accumulator), version: cell.version };
      if (cell !== undefined) {
        cells.delete(key);
        this.#left--;
        return cell;
      }
      if (deletions.has(key)) return deleted;
    }
    return undefined;
  }

  /** The oldest changes, at most so many; undefined if there are none. They are written before anything else happens. */
  next(most: number): Changes | undefined {
    for (let oldest = this.#list[0]; oldest !== undefined; oldest = this.#list[0]) {
      const { epoch, isShared } = oldest;
      const gone: unknown[] = [];
      const cells: [unknown, Cell][] = [];
      while (gone.length < most) {
        const { value, done } = oldest.deletions.next();
        if (done === true) break;
        gone.push(value);
      }
      while (gone.length + cells.length < most) {
        const { value, done } = oldest.entries.next() as IteratorResult<[unknown, Cell], undefined>;
        if (done === true) break;
        cells.push(value);
      }
      const count = gone.length + cells.length;
      this.#left -= count;
      if (count < most) this.#list.shift();
      // Those that are shared are left whole.
      if (!isShared) {
        for (const key of gone) oldest.deleted.delete(key);
        for (const [key] of cells) oldest.cells.delete(key);
      }
      if (count > 0) return { epoch, deleted: gone, cells };
    }
    return undefined;
  }

  *keys(): Generator<unknown> {
    for (const { cells } of [...this.#list]) yield* cells.keys();
  }

  clear(): void {
    this.#list = [];
    this.#left = 0;
  }
}
