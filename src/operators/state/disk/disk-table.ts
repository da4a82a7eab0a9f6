import { IllegalStateError } from '../../../errors/usage-errors.ts';
import { RecordNotSerializableError } from '../../../errors/result-errors.ts';
import type { CheckpointId } from '../../../ids.ts';
import type { Cell } from '../tables/cell.ts';
import { FrozenTable } from '../tables/frozen-table.ts';
import { RunHistory } from '../tables/run-history.ts';
import { notPlainReason } from '../tables/not-plain-reason.ts';
import type { LoadedElsewhere, StateTable } from '../tables/state-table.ts';
import type { Pack } from '../tables/table-block.ts';
import type { TableRun } from '../tables/table-state.ts';
import { diskContent } from './disk-content.ts';
import type { DiskStore } from './disk-store.ts';
import { deleted, Generations } from './generations.ts';
import { DiskLoaded } from './disk-loading.ts';

/** Entries that are merged, or packed, between two looks at the clock. */
const mostAtOnce = 256;

/** What a table is made of. */
export interface DiskTableOptions {
  /** uid of the operator whose state it is. */
  readonly uid: string;
  /** @throws StateBackendError */
  readonly open: () => DiskStore;
  /** How many entries it may have in memory, if they have so many bytes as they are stored; undefined if that is unknown. */
  readonly mostEntries: (bytes: number | undefined) => number;
  /** Entries that are written at once when there are too many. Default 4,096. */
  readonly writtenAtOnce?: number;
  readonly closed: () => void;
}

/**
 * State by key, on disk but for what was used last. Cells that may have changed are in `front`; when these are many, they
 * are set aside as a generation, and written. A snapshot sets them aside too, and takes a snapshot of what is on disk: it
 * takes no time either.
 *
 * Invariants:
 * - KT1, KT2, KT3 of `KeyedTable`; the order of keys is that of their bytes.
 * - DT1 A change is written after everything that was there of its key before.
 * - DT2 Entries in memory are at most four times the limit, however many keys there are.
 * - DT3 Once its disk has failed, it does nothing but say so: what it has may be older than it should.
 */
export class DiskTable implements StateTable {
  readonly order = 'bytes';
  front = new Map<unknown, Cell>();
  /** New keys are looked for too, so that there is an occasion to write. */
  readonly access = 'missing';
  /** Cells in front are always of this one. */
  readonly version = 0;
  readonly #options: DiskTableOptions;
  readonly #older = new Generations();
  readonly #history = new RunHistory();
  #deleted = new Set<unknown>();
  #store: DiskStore | undefined;
  /** Number of checkpoints for which it was frozen; 0 is what it was restored from. */
  #epoch = 1;
  readonly #epochs = new Map<CheckpointId, number>();
  /** The epoch of the last completed checkpoint. */
  #confirmed = 0;
  /** By epoch: number of entries that were logged. */
  readonly #logged = new Map<number, number>();
  #limit: number;
  readonly #writtenAtOnce: number;
  #looks = 0;
  #end: { readonly kind: 'failed'; readonly error: unknown } | { readonly kind: 'closed' } | undefined;

  constructor(options: DiskTableOptions) {
    this.#options = options;
    this.#limit = options.mostEntries(undefined);
    this.#writtenAtOnce = options.writtenAtOnce ?? 4_096;
  }

  recall(key: unknown): Cell | undefined {
    const present = this.front.get(key);
    if (present !== undefined) return present;
    this.#makeRoom();
    if (this.#deleted.has(key)) return undefined;
    const older = this.#older.take(key);
    const cell = older ?? this.#store?.read(key);
    if (cell === undefined || cell === deleted) return undefined;
    this.front.set(key, cell);
    return cell;
  }

  own(key: unknown): Cell | undefined {
    const cell = this.front.get(key);
    if (cell !== undefined) return cell;
    this.#makeRoom();
    if (this.#deleted.has(key)) return undefined;
    const older = this.#older.find(key);
    const found = older ?? this.#store?.read(key);
    if (found === undefined || found === deleted) return undefined;
    // A value that nobody can change does not count as changed.
    if (typeof found.accumulator !== 'object' || found.accumulator === null) return found;
    const own = older === undefined ? found : (this.#older.take(key) as Cell);
    this.front.set(key, own);
    return own;
  }

  peek(key: unknown): Cell | undefined {
    const cell = this.front.get(key);
    if (cell !== undefined) return cell;
    this.#refuseIfFailed();
    if (this.#deleted.has(key)) return undefined;
    const older = this.#older.find(key);
    if (older === deleted) return undefined;
    return older ?? this.#store?.read(key);
  }

  *walk(): Generator<unknown> {
    for (const [key] of this.#store?.entries() ?? []) {
      yield key;
      if (this.#end !== undefined) return;
    }
    yield* this.#older.keys();
    yield* this.front.keys();
  }

  set(key: unknown, accumulator: unknown): void {
    const cell = this.front.get(key);
    if (cell !== undefined) {
      cell.accumulator = accumulator;
      return;
    }
    this.#makeRoom();
    this.add(key, accumulator);
  }

  add(key: unknown, accumulator: unknown): Cell {
    const cell = { accumulator, version: this.version };
    this.front.set(key, cell);
    return cell;
  }

  delete(key: unknown): void {
    this.#makeRoom();
    if (!this.#deleted.has(key) && this.#hasOlder(key)) this.#deleted.add(key);
    this.front.delete(key);
  }

  undoOf(key: unknown): () => void {
    // In front, because it may be taken from there otherwise, and lost.
    const cell = this.recall(key);
    const wasDeleted = this.#deleted.has(key);
    const accumulator = cell?.accumulator;
    return () => {
      if (cell === undefined) this.front.delete(key);
      else this.set(key, accumulator);
      if (!wasDeleted) this.#deleted.delete(key);
    };
  }

  entries(): IterableIterator<[unknown, Cell]> {
    if (this.#end?.kind === 'closed') return [].values();
    this.#writeAll();
    return this.#store?.entries() ?? [].values();
  }

  keys(): unknown[] {
    return Array.from(this.entries(), ([key]) => key);
  }

  freeze(checkpoint: CheckpointId, pack: Pack): FrozenTable {
    this.#refuseIfFailed();
    this.#setAside();
    const layers = this.#older.share();
    this.#epochs.set(checkpoint, this.#epoch++);
    const confirmed = this.#confirmed;
    let changed = 0;
    for (const [epoch, count] of this.#logged) if (epoch > confirmed) changed += count;
    for (const { epoch, cells, deleted: gone } of layers) if (epoch > confirmed) changed += cells.size + gone.size;
    const { before } = this.#history.begin(checkpoint, changed);
    const disk = this.#store?.snapshot();
    const inMemory = layers.reduce((sum, { cells }) => sum + cells.size, 0);
    const epoch = this.#epoch;
    return new FrozenTable(pack, {
      before: before ?? [],
      mostEntries: before === undefined ? (disk?.entryCount ?? 0) + inMemory : changed,
      content: (maker) => diskContent(maker, { disk, layers, after: before && confirmed, atOnce: mostAtOnce }),
      onWritten: (runs) => this.#history.written(checkpoint, runs),
      onReleased: () => disk?.release(),
      merge: () => this.#merge(epoch),
    });
  }

  endCheckpoint(checkpoint: CheckpointId, isComplete: boolean): void {
    const epoch = this.#epochs.get(checkpoint);
    this.#epochs.delete(checkpoint);
    if (this.#history.end(checkpoint, isComplete) && epoch !== undefined) this.#confirmed = epoch;
    if (this.#end === undefined && this.#logged.size > 0) this.#forget();
  }

  restore(cells: Map<unknown, Cell>, runs?: readonly TableRun[]): void {
    if (runs === undefined) {
      this.front = cells;
      return;
    }
    this.#older.add(0, cells, new Set());
    this.#history.restore(runs);
  }

  adopt(loaded: LoadedElsewhere, runs?: readonly TableRun[]): void {
    if (!(loaded instanceof DiskLoaded)) throw new IllegalStateError('A state on disk was read into another backend');
    this.#store = loaded.take();
    if (runs !== undefined) this.#history.restore(runs);
    this.#measure(this.#store);
  }

  close(): void {
    if (this.#end?.kind === 'closed') return;
    this.#end = { kind: 'closed' };
    this.front = new Map();
    this.#older.clear();
    this.#store?.release();
    this.#store = undefined;
    this.#options.closed();
  }

  #hasOlder(key: unknown): boolean {
    const older = this.#older.find(key);
    return older === undefined ? this.#store?.has(key) === true : older !== deleted;
  }

  /** Before a key gets a cell in front. What the caller has of other keys does not count any more. */
  #makeRoom(): void {
    this.#refuseIfFailed();
    if (this.#end?.kind === 'closed') throw new IllegalStateError('A closed state is used');
    if (this.front.size + this.#deleted.size >= this.#limit) {
      this.#setAside();
      while (this.#older.left > this.#limit) this.#writeSome(this.#writtenAtOnce);
    } else if (this.#older.left > 0 && ++this.#looks >= this.#writtenAtOnce / 2) {
      this.#looks = 0;
      this.#writeSome(this.#writtenAtOnce);
    }
  }

  #setAside(): void {
    this.#older.add(this.#epoch, this.front, this.#deleted);
    this.front = new Map();
    this.#deleted = new Set();
  }

  #writeAll(): void {
    this.#refuseIfFailed();
    this.#setAside();
    while (this.#older.left > 0) this.#writeSome(this.#writtenAtOnce);
  }

  /** Writes what was set aside before an epoch. An error is told to whoever uses the table next. */
  *#merge(epoch: number): Generator<undefined> {
    while (this.#end === undefined && this.#older.hasBefore(epoch)) {
      try {
        this.#writeSome(Math.min(mostAtOnce, this.#writtenAtOnce));
      } catch {
        return;
      }
      yield;
    }
  }

  #writeSome(most: number): void {
    try {
      const changes = this.#older.next(most);
      if (changes === undefined) return;
      this.#store ??= this.#options.open();
      // Nothing refers to what a state was restored from as changed.
      const { epoch, cells, deleted: gone } = changes;
      const isLogged = this.#history.needsChanges && epoch > this.#confirmed;
      this.#store.write(changes, isLogged ? epoch : undefined);
      if (isLogged) this.#logged.set(epoch, (this.#logged.get(epoch) ?? 0) + cells.length + gone.length);
      this.#measure(this.#store);
    } catch (thrown) {
      const error = thrown instanceof RecordNotSerializableError ? this.#notPlain(thrown) : thrown;
      this.#end ??= { kind: 'failed', error };
      throw error;
    }
  }

  #measure({ written: { entries, bytes } }: DiskStore): void {
    if (entries > 0) this.#limit = this.#options.mostEntries(bytes / entries);
  }

  #forget(): void {
    const upTo = this.#history.needsChanges ? this.#confirmed : this.#epoch;
    for (const epoch of [...this.#logged.keys()]) if (epoch <= upTo) this.#logged.delete(epoch);
    try {
      this.#store?.forget(upTo);
    } catch (error) {
      this.#end ??= { kind: 'failed', error };
    }
  }

  #refuseIfFailed(): void {
    if (this.#end?.kind === 'failed') throw this.#end.error;
  }

  #notPlain(error: RecordNotSerializableError): IllegalStateError {
    return new IllegalStateError(notPlainReason(this.#options.uid, error));
  }
}
