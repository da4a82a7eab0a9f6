import type { CheckpointId } from '../../../ids.ts';
import { copyState } from './copy-state.ts';
import { accumulatorAt, gone, type VersionedCell } from './cell.ts';
import { FrozenTable } from './frozen-table.ts';
import { RunHistory } from './run-history.ts';
import type { LoadedElsewhere, StateTable, TableAccess } from './state-table.ts';
import type { Pack } from './table-block.ts';
import { TableChanges } from './table-changes.ts';
import type { TableRun } from './table-state.ts';
import { changedContent, type Hold, wholeContent } from './versioned-content.ts';

/** Cells of version 0 are those that were restored. */
const firstVersion = 1;

/** Entries that are packed, or cleared, between two looks at the clock. */
const mostAtOnce = 256;

/**
 * State by key, in cells that change in place. A snapshot takes no time, however many keys there are: it has a number, and
 * the next change of a cell keeps what it was, for as long as the snapshot is being written.
 *
 * Invariants:
 * - KT1 A frozen table has the state of its instant, whatever happens to the table afterwards, also in place.
 * - KT2 Reading and changing a table gives the same results, and the same order of keys, with snapshots or without.
 * - KT3 A run has every key that changed since the last completed checkpoint, and refers to earlier runs for the others.
 * - KT5 Its access is `outdated` exactly while it has a cell that may only be changed by way of {@link recall}.
 */
export class KeyedTable implements StateTable {
  readonly order = 'appearance';
  /** All cells. One of an earlier version is changed by way of {@link recall}. */
  front = new Map<unknown, VersionedCell>();
  version = 0;
  /** How many cells are not of this version. */
  #outdated = 0;
  /** The place of the next cell that is made. */
  #places = 0;
  /** That place when the table was frozen. */
  #frozenPlaces = 0;
  /** Oldest first. */
  #holds: Hold[] = [];
  /** Cells that may have older versions. */
  #aged: VersionedCell[] = [];
  readonly #history = new RunHistory();
  /** The version of each checkpoint that has not ended. */
  readonly #versions = new Map<CheckpointId, number>();
  /** The version of the last completed checkpoint. */
  #completed = 0;
  /** What changed after it until the table was frozen for the last time, oldest first. */
  #since: TableChanges[] = [];
  /** What has changed since then; undefined if no checkpoint will ask. */
  #changes: TableChanges | undefined;
  readonly #atOnce: number;

  /** @param atOnce entries that are packed or cleared in one step */
  constructor(atOnce = mostAtOnce) {
    this.#atOnce = atOnce;
    // Now, so that V8 does not compile it into loops as a constant.
    this.version = firstVersion;
  }

  /** Keys that change often have all changed soon after a checkpoint. */
  get access(): TableAccess {
    return this.#outdated === 0 ? 'cells' : 'outdated';
  }

  recall(key: unknown): VersionedCell | undefined {
    const cell = this.front.get(key);
    if (cell !== undefined && cell.version !== this.version && this.#begin(key, cell)) {
      cell.accumulator = copyState(cell.accumulator);
    }
    return cell;
  }

  add(key: unknown, accumulator: unknown): VersionedCell {
    const cell = { accumulator, version: this.version, older: undefined, place: this.#places++ };
    this.front.set(key, cell);
    this.#changes?.add(key, cell);
    return cell;
  }

  own(key: unknown): VersionedCell | undefined {
    const cell = this.front.get(key);
    // A value that nobody can change needs no copy, and does not count as changed.
    const mayChange = typeof cell?.accumulator === 'object' && cell.accumulator !== null;
    return mayChange ? this.recall(key) : cell;
  }

  peek(key: unknown): VersionedCell | undefined {
    return this.front.get(key);
  }

  walk(): MapIterator<unknown> {
    return this.front.keys();
  }

  set(key: unknown, accumulator: unknown): void {
    const cell = this.front.get(key);
    if (cell === undefined) {
      this.add(key, accumulator);
      return;
    }
    if (cell.version !== this.version) this.#begin(key, cell);
    cell.accumulator = accumulator;
  }

  delete(key: unknown): void {
    const cell = this.front.get(key);
    if (cell === undefined) return;
    if (cell.version !== this.version) this.#begin(key, cell);
    cell.accumulator = gone;
    this.front.delete(key);
    for (const { after, version, lost } of this.#holds) {
      if (after < 0 && accumulatorAt(cell, version) !== gone) lost.push([key, cell]);
    }
    if (cell.place < this.#frozenPlaces) this.#changes?.deleted.add(key);
    this.#changes?.lose();
  }

  undoOf(key: unknown): () => void {
    const cell = this.recall(key);
    const accumulator = cell?.accumulator;
    return () => {
      if (cell === undefined) this.delete(key);
      else this.set(key, accumulator);
    };
  }

  entries(): MapIterator<[unknown, VersionedCell]> {
    return this.front.entries();
  }

  keys(): unknown[] {
    return [...this.front.keys()];
  }

  freeze(checkpoint: CheckpointId, pack: Pack): FrozenTable {
    const version = this.version++;
    this.#outdated = this.front.size;
    this.#versions.set(checkpoint, version);
    if (this.#changes !== undefined) {
      this.#changes.checkpoint = checkpoint;
      this.#since.push(this.#changes);
    }
    const changed = this.#since.reduce((sum, { size }) => sum + size, 0);
    const { before, isAnew } = this.#history.begin(checkpoint, changed);
    if (isAnew) this.#since = [];
    this.#changes = new TableChanges();
    this.#frozenPlaces = this.#places;
    const hold: Hold = { version, after: before ? this.#completed : -1, places: this.#places, lost: [] };
    this.#holds.push(hold);
    const changes = [...this.#since];
    // Their older versions are let go when they change.
    if (this.#aged.length > this.front.size) this.#aged = [];
    return new FrozenTable(pack, {
      before: before ?? [],
      mostEntries: before === undefined ? this.front.size : changed,
      content: (maker) =>
        before === undefined
          ? wholeContent(maker, hold, this.front, this.#atOnce)
          : changedContent(maker, hold, changes, this.#atOnce),
      onWritten: (runs) => this.#history.written(checkpoint, runs),
      onReleased: () => void (this.#holds = this.#holds.filter((one) => one !== hold)),
      merge: () => this.merge(),
    });
  }

  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    const version = this.#versions.get(checkpoint);
    if (this.#history.end(checkpoint, isComplete) && version !== undefined) {
      this.#completed = version;
      this.#since = this.#since.filter((changes) => (changes.checkpoint as CheckpointId) > checkpoint);
      for (const earlier of [...this.#versions.keys()]) if (earlier < checkpoint) this.#versions.delete(earlier);
    }
    this.#versions.delete(checkpoint);
    if (this.#history.needsChanges) return;
    this.#since = [];
    this.#changes = undefined;
  }

  restore(cells: Map<unknown, VersionedCell>, runs?: readonly TableRun[]): void {
    this.front = cells;
    this.#outdated = cells.size;
    for (const cell of cells.values()) cell.place = this.#places++;
    if (runs === undefined) return;
    this.#history.restore(runs);
    this.#frozenPlaces = this.#places;
    this.#changes = new TableChanges();
  }

  adopt(loaded: LoadedElsewhere, runs?: readonly TableRun[]): void {
    const cells = Array.from(
      loaded.entries(),
      ([key, { accumulator }]) => [key, { accumulator, version: 0, older: undefined, place: 0 }] as const,
    );
    this.restore(new Map(cells), runs);
    loaded.dispose();
  }

  close(): void {}

  /** Clears what frozen tables needed of cells, a few at each step, once there are none. */
  *merge(): Generator<undefined> {
    let count = 0;
    while (this.#holds.length === 0) {
      const cell = this.#aged.pop();
      if (cell === undefined) return;
      cell.older = undefined;
      if (++count % this.#atOnce === 0) yield;
    }
  }

  /** A cell changes for the first time since the table was frozen. Returns whether what it was is kept. */
  #begin(key: unknown, cell: VersionedCell): boolean {
    this.#changes?.add(key, cell);
    const [oldest] = this.#holds;
    const isKept = oldest !== undefined && this.#isHeld(cell);
    if (isKept) {
      const { version, accumulator } = cell;
      // No frozen table needs more than the last version before it.
      cell.older = { version, accumulator, older: version <= oldest.version ? undefined : cell.older };
      this.#aged.push(cell);
    }
    cell.version = this.version;
    this.#outdated--;
    return isKept;
  }

  #isHeld({ version }: VersionedCell): boolean {
    for (const hold of this.#holds) if (version <= hold.version && version > hold.after) return true;
    return false;
  }
}
