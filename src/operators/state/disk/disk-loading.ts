import { IllegalStateError } from '../../../errors/usage-errors.ts';
import type { Cell } from '../tables/cell.ts';
import type { LoadedElsewhere, TableLoading } from '../tables/state-table.ts';
import type { BlockContent } from '../tables/table-block.ts';
import type { TableRun } from '../tables/table-state.ts';
import type { DiskStore } from './disk-store.ts';

/** Reads a stored state into files, a block at a time. */
export class DiskLoading implements TableLoading {
  readonly #store: DiskStore;

  constructor(store: DiskStore) {
    this.#store = store;
  }

  /** In a stretch of keys, a block that deletes a key comes before the one that has it again. */
  async addRun(
    blocks: Iterable<BlockContent> | AsyncIterable<BlockContent>,
    isMine?: (key: unknown) => boolean,
  ): Promise<void> {
    for await (const { deleted, keys, values } of blocks) {
      const cells = keys.flatMap((key, index) =>
        isMine === undefined || isMine(key) ? [[key, { accumulator: values[index], version: 0 }] as const] : [],
      );
      this.#store.write({ deleted, cells }, undefined);
    }
  }

  done(runs: readonly TableRun[] | undefined): DiskLoaded {
    return new DiskLoaded(this.#store, runs);
  }

  abandon(): void {
    this.#store.release();
  }
}

/** A state that was read into files. */
export class DiskLoaded implements LoadedElsewhere {
  readonly kind = 'elsewhere';
  readonly runs: readonly TableRun[] | undefined;
  #store: DiskStore | undefined;

  constructor(store: DiskStore, runs: readonly TableRun[] | undefined) {
    this.#store = store;
    this.runs = runs;
  }

  entries(): IterableIterator<[unknown, Cell]> {
    return this.#held().entries();
  }

  /** The files belong to the caller from now on. */
  take(): DiskStore {
    const store = this.#held();
    this.#store = undefined;
    return store;
  }

  dispose(): void {
    this.#store?.release();
    this.#store = undefined;
  }

  #held(): DiskStore {
    if (this.#store === undefined) throw new IllegalStateError('A state that was read is used twice');
    return this.#store;
  }
}
