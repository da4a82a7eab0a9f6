import type { VersionedCell } from './cell.ts';
import { type BlockContent, BlockMaker, decodeBlock, type Pack } from './table-block.ts';
import type { TableBlock, TableRun, TableState } from './table-state.ts';

/** A keyed state that was read, for one task, which takes it over. */
export class LoadedTable {
  readonly kind = 'loaded';
  readonly cells = new Map<unknown, VersionedCell>();
  /** Where it is stored, if later checkpoints may refer to that. */
  readonly runs: readonly TableRun[] | undefined;

  constructor(runs?: readonly TableRun[]) {
    this.runs = runs;
  }

  /** Adds the blocks of one run. @param isMine whether the task has this key; default: all of them */
  addRun(blocks: readonly BlockContent[], isMine?: (key: unknown) => boolean): void {
    for (const { deleted } of blocks) for (const key of deleted) this.cells.delete(key);
    for (const { key, value } of inOrder(blocks)) {
      if (isMine !== undefined && !isMine(key)) continue;
      const cell = this.cells.get(key);
      if (cell === undefined) this.cells.set(key, { accumulator: value, version: 0, older: undefined, place: 0 });
      else cell.accumulator = value;
    }
  }
}

/** A table whose entries are packed with it. */
export function packTable(
  entries: Iterable<readonly [unknown, Pick<VersionedCell, 'accumulator'>]>,
  pack: Pack,
): TableState {
  const maker = new BlockMaker(pack);
  const blocks: TableBlock[] = [];
  const keep = (made: { readonly group: number; readonly bytes: Uint8Array }): void =>
    void blocks.push({ group: made.group, bytes: made.bytes.length, at: made.bytes });
  for (const [key, { accumulator }] of entries) {
    const made = maker.add(key, accumulator);
    if (made !== undefined) keep(made);
  }
  for (const made of maker.rest()) keep(made);
  return { kind: 'table', runs: [{ piece: undefined, blocks, entries: maker.entries }] };
}

/** The cells of a table whose entries are packed with it. */
export function loadPacked({ runs }: TableState): LoadedTable {
  const table = new LoadedTable();
  for (const { blocks } of runs) table.addRun(blocks.map(({ at }) => decodeBlock(at as Uint8Array)));
  return table;
}

interface Entry {
  readonly key: unknown;
  readonly value: unknown;
}

/** The entries of a run, in the order in which they were added. */
function inOrder(blocks: readonly BlockContent[]): Iterable<Entry> {
  const entries: Entry[] = [];
  for (const { places, keys, values } of blocks) {
    for (let index = 0; index < keys.length; index++) {
      entries[places[index] as number] = { key: keys[index], value: values[index] };
    }
  }
  // Blocks of some key groups alone leave holes.
  return entries.filter(() => true);
}
