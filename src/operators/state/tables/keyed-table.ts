import type { CheckpointId } from '../../../ids.ts';
import { copyState } from './copy-state.ts';
import type { Cell, Layer } from './cell.ts';
import { FrozenTable } from './frozen-table.ts';
import type { Pack } from './table-block.ts';
import type { TableRun } from './table-state.ts';

/** A run is written anew, with all keys, when the changes since then are as many as this part of them. */
const mostChanged = 0.5;

/** Most runs that a state consists of. */
const mostRuns = 12;

/** Entries that are packed or merged between two looks at the clock. */
const mostAtOnce = 256;

/**
 * State by key, in cells that change in place. A snapshot takes no time, however many keys there are: the cells are set
 * aside as a layer that never changes, and the next change of a key makes a copy of its cell. The layers are merged
 * later, in small steps.
 *
 * Invariants:
 * - KT1 A frozen table has the state of its instant, whatever happens to the table afterwards, also in place.
 * - KT2 Reading and changing a table gives the same results, and the same order of keys, with snapshots or without.
 * - KT3 A run has every key that changed since the last completed checkpoint, and refers to earlier runs for the others.
 * - KT4 A frozen table refers to earlier runs only if the end of every earlier checkpoint is known: a later one may have
 *   completed that does not need them, and then they are discarded.
 */
export class KeyedTable {
  /**
   * The cells that may be changed: those that were since the last snapshot. A key that is not among them is looked for
   * with {@link recall}.
   */
  front = new Map<unknown, Cell>();
  /** Whether there may be keys that are not in `front`. */
  hasOlder = false;
  /** Keys of older layers that lost their cell since the last snapshot. They may have a new one in `front`. */
  #deleted = new Set<unknown>();
  /** Oldest first. */
  #unmerged: Layer[] = [];
  #base: Map<unknown, Cell> = new Map<unknown, Cell>();
  /** Number of frozen tables that need the base as it is. */
  #holds = 0;
  /** The runs of the last completed checkpoint. */
  #stored: readonly TableRun[] | undefined;
  /** What changed after it, oldest first. */
  #since: Layer[] = [];
  /** The checkpoints for which it was frozen that are not known to have ended. */
  readonly #open = new Set<CheckpointId>();
  readonly #atOnce: number;
  readonly #runsByCheckpoint = new Map<CheckpointId, readonly TableRun[]>();

  /** @param atOnce entries that are packed or merged in one step */
  constructor(atOnce = mostAtOnce) {
    this.#atOnce = atOnce;
  }

  /** The cell of a key that is not in `front`, as one that may be changed; undefined if it has none. */
  recall(key: unknown): Cell | undefined {
    const older = this.hasOlder ? this.#older(key) : undefined;
    if (older === undefined) return undefined;
    const cell = copyOf(older);
    this.front.set(key, cell);
    return cell;
  }

  /** The cell of a key, as one whose value the caller may change; undefined if it has none. */
  own(key: unknown): Cell | undefined {
    const cell = this.front.get(key);
    if (cell !== undefined || !this.hasOlder) return cell;
    const older = this.#older(key);
    // A value that nobody can change needs no copy, and does not count as changed.
    return typeof older?.accumulator === 'object' ? this.recall(key) : older;
  }

  /** The cell of a key, whose value the caller does not change; undefined if it has none. */
  peek(key: unknown): Cell | undefined {
    return this.front.get(key) ?? (this.hasOlder ? this.#older(key) : undefined);
  }

  /** Goes through all keys once. Meanwhile the table may change: a key that gets or loses a cell may come, or not. */
  *walk(): Generator<unknown> {
    yield* this.#base.keys();
    yield* this.front.keys();
  }

  set(key: unknown, accumulator: unknown): void {
    const cell = this.front.get(key);
    if (cell === undefined) this.front.set(key, { accumulator });
    else cell.accumulator = accumulator;
  }

  delete(key: unknown): void {
    if (this.hasOlder && this.#older(key) !== undefined) this.#deleted.add(key);
    this.front.delete(key);
  }

  /** Puts back what a key has now, when it is called. */
  undoOf(key: unknown): () => void {
    const [cell, wasDeleted] = [this.front.get(key), this.#deleted.has(key)];
    const accumulator = cell?.accumulator;
    return () => {
      if (cell === undefined) this.front.delete(key);
      else this.set(key, accumulator);
      if (!wasDeleted) this.#deleted.delete(key);
    };
  }

  /** All cells, in the order in which their keys got them. From now on, no key may get one. */
  entries(): MapIterator<[unknown, Cell]> {
    this.#flatten();
    return this.hasOlder ? this.#base.entries() : this.front.entries();
  }

  /** All keys, in the order in which they got a cell. */
  keys(): unknown[] {
    this.#flatten();
    return [...(this.hasOlder ? this.#base : this.front).keys()];
  }

  /**
   * The table as it is now, for a checkpoint. The caller releases it.
   *
   * @param pack packs values; throws for what is not plain data
   */
  freeze(checkpoint: CheckpointId, pack: Pack): FrozenTable {
    this.#since.push(this.#setAside(checkpoint));
    // KT4: what the last one that is known to be complete had written may be gone already.
    const isAlone = this.#open.size === 0;
    const isIncremental = isAlone && this.#stored !== undefined && !this.#isWorthRewriting(this.#stored);
    if (isAlone && !isIncremental) {
      this.#stored = undefined;
      this.#since = [];
    }
    this.#open.add(checkpoint);
    this.#holds++;
    return new FrozenTable(pack, {
      base: isIncremental ? undefined : this.#base,
      layers: isIncremental ? [...this.#since] : [...this.#unmerged],
      before: isIncremental ? (this.#stored ?? []) : [],
      onWritten: (runs) => this.#runsByCheckpoint.set(checkpoint, runs),
      onReleased: () => void this.#holds--,
      merge: () => this.merge(),
      atOnce: this.#atOnce,
    });
  }

  /** A checkpoint is complete, and later ones may refer to its runs; or it never will be. */
  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    if (isComplete) this.#confirm(checkpoint);
    this.#open.delete(checkpoint);
    this.#runsByCheckpoint.delete(checkpoint);
    if (this.#open.size === 0 && this.#stored === undefined) this.#since = [];
  }

  #confirm(checkpoint: CheckpointId): void {
    const runs = this.#runsByCheckpoint.get(checkpoint);
    if (runs === undefined) return;
    this.#stored = runs;
    this.#since = this.#since.filter((layer) => layer.checkpoint > checkpoint);
    // An earlier one that has not ended never will be complete.
    for (const earlier of [...this.#open]) {
      if (earlier > checkpoint) continue;
      this.#open.delete(earlier);
      this.#runsByCheckpoint.delete(earlier);
    }
  }

  /** Takes over the cells of a restored state. @param runs where they are stored, if the next checkpoint may refer to that */
  restore(cells: Map<unknown, Cell>, runs?: readonly TableRun[]): void {
    if (runs === undefined) {
      this.front = cells;
      return;
    }
    this.#base = cells;
    this.hasOlder = true;
    this.#stored = runs;
  }

  /** Merges layers, a few entries at each step, as long as no frozen table needs them apart. */
  *merge(): Generator<undefined> {
    for (let layer = this.#unmerged[0]; layer !== undefined; layer = this.#unmerged[0]) {
      if (this.#holds > 0) return;
      if (this.#base.size === 0) {
        // The first one may have a million keys. What is merged into it later is in the later layers too.
        this.#base = layer.cells;
        this.#unmerged.shift();
        continue;
      }
      let count = 0;
      for (const [key, cell] of changesOf(layer)) {
        if (++count % this.#atOnce === 0) {
          yield;
          if (this.#unmerged[0] !== layer) break;
        }
        if (this.#holds > 0) return;
        this.#apply(layer, key, cell);
      }
      if (this.#holds > 0) return;
      if (this.#unmerged[0] === layer) this.#unmerged.shift();
    }
  }

  /** Applies a change to the base. A layer may be applied more than once, in whole or in part. */
  #apply(layer: Layer, key: unknown, cell: Cell | undefined): void {
    if (cell !== undefined) this.#base.set(key, cell);
    else if (this.#base.get(key) !== layer.cells.get(key)) this.#base.delete(key);
  }

  #older(key: unknown): Cell | undefined {
    if (this.#deleted.has(key)) return undefined;
    for (let index = this.#unmerged.length - 1; index >= 0; index--) {
      const { cells, deleted } = this.#unmerged[index] as Layer;
      const cell = cells.get(key);
      if (cell !== undefined) return cell;
      if (deleted.has(key)) return undefined;
    }
    return this.#base.get(key);
  }

  #setAside(checkpoint: CheckpointId): Layer {
    const layer = { checkpoint, cells: this.front, deleted: this.#deleted };
    if (layer.cells.size > 0 || layer.deleted.size > 0) this.#unmerged.push(layer);
    this.front = new Map();
    this.#deleted = new Set();
    this.hasOlder = true;
    return layer;
  }

  #isWorthRewriting(stored: readonly TableRun[]): boolean {
    const [first, ...changes] = stored.map(({ entries }) => entries);
    const changed = this.#since.reduce((sum, { cells, deleted }) => sum + cells.size + deleted.size, 0);
    const entries = changes.reduce((sum, count) => sum + count, changed);
    return stored.length >= mostRuns || entries > mostChanged * (first ?? 0) + mostAtOnce;
  }

  #flatten(): void {
    if (!this.hasOlder) return;
    if (this.#holds > 0) this.#base = new Map(this.#base);
    const front = { checkpoint: 0 as CheckpointId, cells: this.front, deleted: this.#deleted };
    // The changes stay in front as well: they belong to the next checkpoint.
    for (const layer of [...this.#unmerged, front]) {
      for (const [key, cell] of changesOf(layer)) this.#apply(layer, key, cell);
    }
    this.#unmerged = [];
  }
}

function copyOf({ accumulator }: Cell): Cell {
  return { accumulator: copyState(accumulator) };
}

/** The deleted keys, without a cell, and then the cells. */
function* changesOf({ cells, deleted }: Layer): Generator<readonly [unknown, Cell | undefined]> {
  for (const key of deleted) yield [key, undefined];
  yield* cells;
}
