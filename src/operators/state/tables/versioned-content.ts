import { accumulatorAt, gone, type VersionedCell } from './cell.ts';
import type { BlockMaker, MadeBlock } from './table-block.ts';
import type { TableChanges } from './table-changes.ts';

/** A frozen table in memory, while it is needed. */
export interface Hold {
  /** How often the table had been frozen before. */
  readonly version: number;
  /** It needs cells that changed after this version: -1 for all of them. */
  readonly after: number;
  /** Places from here on are of cells that are newer than it. */
  readonly places: number;
  /** Cells that it has, and the table has lost. */
  readonly lost: (readonly [key: unknown, cell: VersionedCell])[];
}

type Content = Generator<MadeBlock | undefined>;

/**
 * All entries of a frozen table, in their order.
 *
 * @param cells the table as it is now; it may change between two steps
 * @param atOnce entries that are looked at in one step
 */
export function* wholeContent(
  maker: BlockMaker,
  { version, places, lost }: Hold,
  cells: ReadonlyMap<unknown, VersionedCell>,
  atOnce: number,
): Content {
  let looks = 0;
  let passed = -1;
  let known = 0;
  // Those of `lost` that have not been passed, the last one first.
  let left: typeof lost = [];
  for (const [key, cell] of cells) {
    if (cell.place >= places) break;
    if (lost.length !== known) {
      known = lost.length;
      left = lostAfter(lost, passed);
    }
    for (let next = left.at(-1); next !== undefined && next[1].place < cell.place; next = left.at(-1)) {
      left.pop();
      passed = next[1].place;
      const made = maker.add(next[0], accumulatorAt(next[1], version));
      if (made !== undefined || ++looks % atOnce === 0) yield made;
    }
    passed = cell.place;
    const made = maker.add(key, accumulatorAt(cell, version));
    if (made !== undefined || ++looks % atOnce === 0) yield made;
  }
  for (const [key, cell] of lostAfter(lost, passed).reverse()) {
    const made = maker.add(key, accumulatorAt(cell, version));
    if (made !== undefined) yield made;
  }
}

function lostAfter(lost: Hold['lost'], place: number): Hold['lost'] {
  return lost.filter(([, cell]) => cell.place > place).sort(([, a], [, b]) => b.place - a.place);
}

/** What changed in a frozen table: first the keys that lost their cells, then the cells. */
export function* changedContent(
  maker: BlockMaker,
  { version }: Hold,
  changes: readonly TableChanges[],
  atOnce: number,
): Content {
  let looks = 0;
  for (const { deleted } of changes) {
    for (const key of deleted) {
      const made = maker.delete(key);
      if (made !== undefined || ++looks % atOnce === 0) yield made;
    }
  }
  const seen = changes.filter(({ cells }) => cells.length > 0).length > 1 ? new Set<VersionedCell>() : undefined;
  for (const { keys, cells } of changes) {
    for (const [index, cell] of cells.entries()) {
      let made: MadeBlock | undefined;
      if (seen?.has(cell) !== true) {
        seen?.add(cell);
        const accumulator = accumulatorAt(cell, version);
        if (accumulator !== gone) made = maker.add(keys[index], accumulator);
      }
      if (made !== undefined || ++looks % atOnce === 0) yield made;
    }
  }
}
