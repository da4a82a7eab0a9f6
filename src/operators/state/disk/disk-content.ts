import type { BlockMaker, MadeBlock } from '../tables/table-block.ts';
import type { DiskSnapshot } from './disk-store.ts';
import type { Generation } from './generations.ts';

/** A table as it was at a barrier: what was on disk, and what was not yet, oldest first. */
export interface FrozenContent {
  /** undefined if nothing was on disk. */
  readonly disk: DiskSnapshot | undefined;
  readonly layers: readonly Generation[];
  /** Only what changed after this epoch is written; undefined for everything. */
  readonly after: number | undefined;
}

/** What a table on disk writes. What was not on disk comes last. */
export function* diskContent(maker: BlockMaker, content: FrozenContent): Generator<MadeBlock | undefined> {
  const { disk, layers, after } = content;
  const ofRun = layers.filter(({ epoch }) => after === undefined || epoch > after);
  if (after !== undefined) {
    for (const { deleted } of disk?.logAfter(after) ?? []) for (const key of deleted) yield maker.delete(key);
    for (const { deleted } of ofRun) for (const key of deleted) yield maker.delete(key);
    if (disk !== undefined) yield* logged(maker, disk, content);
  } else {
    for (const [key, { accumulator }] of disk?.entries() ?? []) {
      yield isIn(layers, key) ? undefined : maker.add(key, accumulator);
    }
  }
  for (const [index, { cells }] of ofRun.entries()) {
    const later = ofRun.slice(index + 1);
    for (const [key, { accumulator }] of cells) yield isIn(later, key) ? undefined : maker.add(key, accumulator);
  }
}

/** The entries that were written to disk after an epoch, each where it was written last. */
function* logged(
  maker: BlockMaker,
  disk: DiskSnapshot,
  { layers, after = 0 }: FrozenContent,
): Generator<MadeBlock | undefined> {
  for (const { note, changed } of disk.logAfter(after)) {
    for (const key of changed) {
      const entry = isIn(layers, key) ? undefined : disk.read(key);
      yield entry?.note === note ? maker.add(key, entry.value) : undefined;
    }
  }
}

function isIn(layers: readonly Generation[], key: unknown): boolean {
  return layers.some(({ cells, deleted }) => cells.has(key) || deleted.has(key));
}
