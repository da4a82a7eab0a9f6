import type { Cell, Layer } from './cell.ts';
import { BlockMaker, type MadeBlock, type Pack } from './table-block.ts';
import type { TableRun } from './table-state.ts';

interface Frozen {
  /** undefined if only the layers are written. */
  readonly base: ReadonlyMap<unknown, Cell> | undefined;
  /** Oldest first. */
  readonly layers: readonly Layer[];
  /** The runs to which it refers. */
  readonly before: readonly TableRun[];
  readonly onWritten: (runs: readonly TableRun[]) => void;
  readonly onReleased: () => void;
  readonly merge: () => Generator<undefined>;
  /** Entries that are looked at in one step. */
  readonly atOnce: number;
}

/** A table as it was at the barrier of a checkpoint, to be packed in small steps. */
export class FrozenTable {
  readonly #pack: Pack;
  readonly #frozen: Frozen;
  #isReleased = false;

  constructor(pack: Pack, frozen: Frozen) {
    this.#pack = pack;
    this.#frozen = frozen;
  }

  /** The runs of earlier checkpoints to which it refers. */
  get before(): readonly TableRun[] {
    return this.#frozen.before;
  }

  /** Most entries that it packs. */
  get mostEntries(): number {
    const { base, layers } = this.#frozen;
    return layers.reduce((sum, { cells, deleted }) => sum + cells.size + deleted.size, base?.size ?? 0);
  }

  /**
   * Packs what is to be written, block by block. undefined is a step without one. Returns the number of entries.
   * @throws RecordNotSerializableError for what is not plain data
   */
  *blocks(): Generator<MadeBlock | undefined, number> {
    const maker = new BlockMaker(this.#pack);
    let steps = 0;
    for (const made of this.#made(maker)) {
      if (made !== undefined) yield made;
      else if (++steps % this.#frozen.atOnce === 0) yield undefined;
    }
    yield* maker.rest();
    return maker.entries;
  }

  /** It is written, together with what it refers to, as these runs. */
  written(runs: readonly TableRun[]): void {
    this.#frozen.onWritten(runs);
  }

  /** It is needed no more. Idempotent. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#frozen.onReleased();
  }

  /** Merges the layers of its table in small steps, once it is released. */
  merge(): Generator<undefined> {
    return this.#frozen.merge();
  }

  *#made(maker: BlockMaker): Generator<MadeBlock | undefined> {
    const { base, layers } = this.#frozen;
    if (base === undefined) {
      for (const { deleted } of layers) for (const key of deleted) yield maker.delete(key);
    } else {
      for (const [key, cell] of base) {
        if (!keepsPlace(layers, key, cell)) yield undefined;
        else yield maker.add(key, (newestOf(layers, key) ?? cell).accumulator);
      }
    }
    const seen = layers.length > 1 ? new Set<unknown>() : undefined;
    for (const [index, { cells }] of layers.entries()) {
      for (const [key, cell] of cells) {
        const older = base?.get(key);
        const isInBase = older !== undefined && keepsPlace(layers, key, older);
        if (isInBase || seen?.has(key) === true || isDeletedAfter(layers, key, index)) {
          yield undefined;
          continue;
        }
        seen?.add(key);
        yield maker.add(key, (newestOf(layers, key) ?? cell).accumulator);
      }
    }
  }
}

function newestOf(layers: readonly Layer[], key: unknown): Cell | undefined {
  for (let index = layers.length - 1; index >= 0; index--) {
    const cell = layers[index]?.cells.get(key);
    if (cell !== undefined) return cell;
  }
  return undefined;
}

/** Whether a later layer deletes the cell that the key has after layer `index`. */
function isDeletedAfter(layers: readonly Layer[], key: unknown, index: number): boolean {
  for (let later = index + 1; later < layers.length; later++) if (layers[later]?.deleted.has(key) === true) return true;
  return false;
}

/** Whether a key of the base was not deleted since, or the layer that deleted it is merged already. */
function keepsPlace(layers: readonly Layer[], key: unknown, cell: Cell): boolean {
  const last = layers.findLastIndex(({ deleted }) => deleted.has(key));
  return last < 0 || layers.slice(last).some(({ cells }) => cells.get(key) === cell);
}
