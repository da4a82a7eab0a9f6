import type { CheckpointId } from '../../../ids.ts';
import { copyState } from './copy-state.ts';
import type { Cell, Layer } from './cell.ts';
import { FrozenTable } from './frozen-table.ts';
import { layeredContent } from './layered-content.ts';
import { RunHistory } from './run-history.ts';
import type { LoadedElsewhere, StateTable } from './state-table.ts';
import type { Pack } from './table-block.ts';
import type { TableRun } from './table-state.ts';

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
 */
export class KeyedTable implements StateTable {
  readonly order = 'appearance';
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
  readonly #history = new RunHistory();
  /** What changed after the last completed checkpoint, oldest first. */
  #since: Layer[] = [];
  readonly #atOnce: number;

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
    const { before, isAnew } = this.#history.begin(checkpoint, entriesIn(this.#since));
    if (isAnew) this.#since = [];
    this.#holds++;
    const base = before === undefined ? this.#base : undefined;
    const layers = before === undefined ? [...this.#unmerged] : [...this.#since];
    return new FrozenTable(pack, {
      before: before ?? [],
      mostEntries: entriesIn(layers) + (base?.size ?? 0),
      content: (maker) => layeredContent(maker, { base, layers, atOnce: this.#atOnce }),
      onWritten: (runs) => this.#history.written(checkpoint, runs),
      onReleased: () => void this.#holds--,
      merge: () => this.merge(),
    });
  }

  /** A checkpoint is complete, and later ones may refer to its runs; or it never will be. */
  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    const isStored = this.#history.end(checkpoint, isComplete);
    if (isStored) this.#since = this.#since.filter((layer) => layer.checkpoint > checkpoint);
    if (!this.#history.needsChanges) this.#since = [];
  }

  /** Takes over the cells of a restored state. @param runs where they are stored, if the next checkpoint may refer to that */
  restore(cells: Map<unknown, Cell>, runs?: readonly TableRun[]): void {
    if (runs === undefined) {
      this.front = cells;
      return;
    }
    this.#base = cells;
    this.hasOlder = true;
    this.#history.restore(runs);
  }

  adopt(loaded: LoadedElsewhere, runs?: readonly TableRun[]): void {
    this.restore(new Map(loaded.entries()), runs);
    loaded.dispose();
  }

  close(): void {}

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
      yield* this.#mergeChanges(layer);
      if (this.#holds > 0) return;
      if (this.#unmerged[0] === layer) this.#unmerged.shift();
    }
  }

  /** In two loops, because one over both takes twice the time. */
  *#mergeChanges(layer: Layer): Generator<undefined> {
    const mayGoOn = (): boolean => this.#holds === 0 && this.#unmerged[0] === layer;
    let count = 0;
    for (const key of layer.deleted) {
      if (++count % this.#atOnce === 0) {
        yield;
        if (!mayGoOn()) return;
      }
      this.#apply(layer, key, undefined);
    }
    for (const [key, cell] of layer.cells) {
      if (++count % this.#atOnce === 0) {
        yield;
        if (!mayGoOn()) return;
      }
      this.#base.set(key, cell);
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

function entriesIn(layers: readonly Layer[]): number {
  return layers.reduce((sum, { cells, deleted }) => sum + cells.size + deleted.size, 0);
}

function copyOf({ accumulator }: Cell): Cell {
  return { accumulator: copyState(accumulator) };
}

/** The deleted keys, without a cell, and then the cells. */
function* changesOf({ cells, deleted }: Layer): Generator<readonly [unknown, Cell | undefined]> {
  for (const key of deleted) yield [key, undefined];
  yield* cells;
}
