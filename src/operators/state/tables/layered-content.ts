import type { Cell, Layer } from './cell.ts';
import type { BlockMaker, MadeBlock } from './table-block.ts';

/** What a table in memory writes. @param base undefined if only the layers are written, oldest first */
export function* layeredContent(
  maker: BlockMaker,
  base: ReadonlyMap<unknown, Cell> | undefined,
  layers: readonly Layer[],
): Generator<MadeBlock | undefined> {
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
