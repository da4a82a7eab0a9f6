import type { BlockMaker, MadeBlock } from '../tables/table-block.ts';
import type { DiskSnapshot } from './disk-store.ts';
import type { Generation } from './generations.ts';

/** A table as it was at a barrier: what was on disk, and what was not yet, oldest first. */
interface FrozenContent {
  /** undefined if nothing was on disk. */
  readonly disk: DiskSnapshot | undefined;
  readonly layers: readonly Generation[];
  /** Only what changed after this epoch is written; undefined for everything. */
  readonly after: number | undefined;
  /** Entries that are looked at in one step. */
  readonly atOnce: number;
}

type Entry = readonly [key: unknown, value: unknown] | undefined;

/** What a table on disk writes. What was not on disk comes last. */
export function* diskContent(maker: BlockMaker, content: FrozenContent): Generator<MadeBlock | undefined> {
  const { disk, layers, after, atOnce } = content;
  const ofRun = layers.filter(({ epoch }) => after === undefined || epoch > after);
  if (after !== undefined) {
    for (const { deleted } of disk?.logAfter(after) ?? []) for (const key of deleted) yield maker.delete(key);
    for (const { deleted } of ofRun) for (const key of deleted) yield maker.delete(key);
  }
  let looks = 0;
  for (const entry of entriesOf(content, ofRun)) {
    const made = entry && maker.add(entry[0], entry[1]);
    if (made !== undefined || ++looks % atOnce === 0) yield made;
  }
}

/** The entries of a run; undefined for one that was looked at, and is not in it. */
function* entriesOf({ disk, layers, after }: FrozenContent, ofRun: readonly Generation[]): Generator<Entry> {
  if (disk !== undefined && after !== undefined) yield* loggedIn(disk, after, layers);
  else {
    for (const [key, { accumulator }] of disk?.entries() ?? [])
      yield isIn(layers, key) ? undefined : [key, accumulator];
  }
  for (const [index, { cells }] of ofRun.entries()) {
    const later = ofRun.slice(index + 1);
    for (const [key, { accumulator }] of cells) yield isIn(later, key) ? undefined : [key, accumulator];
  }
}

/** The entries that were written to disk after an epoch, each where it was written last. */
function* loggedIn(disk: DiskSnapshot, after: number, layers: readonly Generation[]): Generator<Entry> {
  for (const { note, changed } of disk.logAfter(after)) {
    for (const key of changed) {
      const entry = isIn(layers, key) ? undefined : disk.read(key);
      yield entry?.note === note ? [key, entry.value] : undefined;
    }
  }
}

function isIn(layers: readonly Generation[], key: unknown): boolean {
  return layers.some(({ cells, deleted }) => cells.has(key) || deleted.has(key));
}
