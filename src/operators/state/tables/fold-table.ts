import type { Cell } from './cell.ts';
import type { FrozenTable } from './frozen-table.ts';
import { PlainTable } from './plain-table.ts';
import type { LoadedElsewhere, StateTable, TableAccess } from './state-table.ts';

/** Objects that took the place of others, from which on cells are cheaper than to write the map each time. */
const fewReplaced = 64;

/** With more keys, most of the time is that in which one is found, and cells for all of them would take long to make. */
const mostKeys = 65_536;

/**
 * Accumulators by key of a fold that takes part in no checkpoint. As long as all of them are objects that change in place,
 * they are held as they are: to reach one by way of a cell takes some percent of a keyed sum. Anything else has them put
 * into cells, for good, unless there are very many.
 *
 * Invariants:
 * - KT2 of `KeyedTable`.
 * - FT1 All keys are in `objects`, or all of them are in cells: a loop that misses a key in one looks into the other.
 */
export class FoldTable implements StateTable {
  readonly order = 'appearance';
  readonly version = 0;
  /** By key, as long as it has no cells; empty from then on. Only {@link put} and {@link replace} change it. */
  readonly objects = new Map<unknown, unknown>();
  readonly #cells = new PlainTable();
  #hasCells = false;
  #replaced = 0;

  /** Once its accumulators are in cells, they stay there. */
  get access(): TableAccess {
    return this.#hasCells ? 'cells' : 'objects';
  }

  get front(): Map<unknown, Cell> {
    return this.makeCells().front;
  }

  /** Puts its accumulators into cells, in the same order, if they are not. */
  makeCells(): PlainTable {
    if (this.#hasCells) return this.#cells;
    this.#hasCells = true;
    for (const [key, accumulator] of this.objects) this.#cells.add(key, accumulator);
    this.objects.clear();
    return this.#cells;
  }

  /** The accumulator of a key. */
  put(key: unknown, accumulator: unknown): void {
    if (!this.#hasCells && this.#needsNoCell(accumulator)) this.objects.set(key, accumulator);
    else this.makeCells().set(key, accumulator);
  }

  /** Another accumulator in place of one of `objects`. */
  replace(key: unknown, accumulator: unknown): void {
    if (++this.#replaced > fewReplaced && this.objects.size <= mostKeys) this.makeCells();
    this.put(key, accumulator);
  }

  recall(key: unknown): Cell | undefined {
    return this.makeCells().recall(key);
  }

  add(key: unknown, accumulator: unknown): Cell {
    return this.makeCells().add(key, accumulator);
  }

  own(key: unknown): Cell | undefined {
    return this.makeCells().own(key);
  }

  peek(key: unknown): Cell | undefined {
    return this.makeCells().peek(key);
  }

  walk(): MapIterator<unknown> {
    return this.makeCells().walk();
  }

  set(key: unknown, accumulator: unknown): void {
    this.makeCells().set(key, accumulator);
  }

  delete(key: unknown): void {
    this.makeCells().delete(key);
  }

  undoOf(key: unknown): () => void {
    return this.makeCells().undoOf(key);
  }

  entries(): IterableIterator<[unknown, Cell]> {
    return this.#hasCells ? this.#cells.entries() : inCells(this.objects);
  }

  keys(): unknown[] {
    return this.#hasCells ? this.#cells.keys() : [...this.objects.keys()];
  }

  freeze(): FrozenTable {
    return this.#cells.freeze();
  }

  endCheckpoint(): void {}

  restore(cells: Map<unknown, Cell>): void {
    for (const [key, { accumulator }] of cells) this.put(key, accumulator);
  }

  adopt(loaded: LoadedElsewhere): void {
    for (const [key, { accumulator }] of loaded.entries()) this.put(key, accumulator);
    loaded.dispose();
  }

  close(): void {}

  /** A loop takes `undefined` for a missing key, and −0 for an accumulator that has not changed from 0. */
  #needsNoCell(accumulator: unknown): boolean {
    if (typeof accumulator === 'object' && accumulator !== null) return true;
    return this.objects.size > mostKeys && accumulator !== undefined && accumulator !== 0;
  }
}

function* inCells(objects: ReadonlyMap<unknown, unknown>): Generator<[unknown, Cell]> {
  for (const [key, accumulator] of objects) yield [key, { accumulator, version: 0 }];
}
