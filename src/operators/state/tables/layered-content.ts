import type { Cell, Layer } from './cell.ts';
import type { BlockMaker, MadeBlock } from './table-block.ts';

/** A table in memory as it was at a barrier. */
interface LayeredTable {
  /** undefined if only the layers are written. */
  readonly base: ReadonlyMap<unknown, Cell> | undefined;
  /** Oldest first. */
  readonly layers: readonly Layer[];
  /** Entries that are looked at in one step. */
  readonly atOnce: number;
}

/** What a table in memory writes. It looks nothing up where there is nothing to find: that takes most of the time. */
export function* layeredContent(
  maker: BlockMaker,
  { base, layers, atOnce }: LayeredTable,
): Generator<MadeBlock | undefined> {
  if (base === undefined) for (const { deleted } of layers) for (const key of deleted) yield maker.delete(key);
  const changed = layers.filter(({ cells, deleted }) => cells.size + deleted.size > 0);
  const hasDeletions = changed.some(({ deleted }) => deleted.size > 0);
  let looks = 0;
  let found = 0;
  for (const [key, cell] of base ?? []) {
    let made: MadeBlock | undefined;
    if (!hasDeletions || keepsPlace(changed, key, cell)) {
      const newest = newestOf(changed, key);
      if (newest !== undefined) found++;
      made = maker.add(key, (newest ?? cell).accumulator);
    }
    if (made !== undefined || ++looks % atOnce === 0) yield made;
  }
  const [only] = changed;
  // All that has changed was there before.
  if (changed.length === 1 && !hasDeletions && found === only?.cells.size) return;
  const older = base === undefined || base.size === 0 ? undefined : base;
  const seen = changed.length > 1 ? new Set<unknown>() : undefined;
  for (const [index, { cells }] of changed.entries()) {
    const later = changed.slice(index + 1);
    for (const [key, cell] of cells) {
      let made: MadeBlock | undefined;
      if (
        !isInBase(older, key, hasDeletions ? changed : undefined) &&
        seen?.has(key) !== true &&
        (!hasDeletions || keepsPlace(later, key, cell))
      ) {
        seen?.add(key);
        made = maker.add(key, (newestOf(later, key) ?? cell).accumulator);
      }
      if (made !== undefined || ++looks % atOnce === 0) yield made;
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

/** Whether a key was written with the base. @param layers undefined if none deletes any */
function isInBase(
  base: ReadonlyMap<unknown, Cell> | undefined,
  key: unknown,
  layers: readonly Layer[] | undefined,
): boolean {
  const cell = base?.get(key);
  return cell !== undefined && (layers === undefined || keepsPlace(layers, key, cell));
}

/**
 * Whether a key of the base, or of a layer that is the base by now, was not deleted in these later layers, or the layer that
 * deleted it is merged already.
 */
function keepsPlace(layers: readonly Layer[], key: unknown, cell: Cell): boolean {
  const last = layers.findLastIndex(({ deleted }) => deleted.has(key));
  return last < 0 || layers.slice(last).some(({ cells }) => cells.get(key) === cell);
}
