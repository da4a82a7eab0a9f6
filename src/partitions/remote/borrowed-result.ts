import { exchangeTypes } from '../../graph/exchange-type.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { ByteBudget } from '../byte-budget.ts';
import type { ResultPartition, SubpartitionView } from '../result-partition.ts';
import { RetainedResult } from '../retained/retained-result.ts';
import { noFaults } from '../../environment.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { FilePool } from '../storage/file-pool.ts';
import type { LendableResult, LentFile } from '../storage/result-index.ts';
import { SegmentedFile } from '../storage/segmented-file.ts';
import type { SpillStore } from '../storage/spill-store.ts';

/** Whether a result may be read by others from its file. */
export function isLendable(source: Pick<ResultPartition, 'read'>): source is ResultPartition & LendableResult {
  return 'lend' in source;
}

/** Nothing is written. */
const noStore: SpillStore = {
  create: () => {
    throw new IllegalStateError('A borrowed result cannot be written');
  },
  dispose: () => Promise.resolve(),
};

/**
 * A complete result of another executor, read from its file, which belongs to its owner: a file that is removed or
 * damaged is a lost partition, as it is for its owner.
 */
export class BorrowedResult {
  readonly #file: SegmentedFile;
  readonly #result: RetainedResult;

  constructor(id: ResultPartitionId, lent: LentFile, pool: FilePool, freeze: boolean) {
    const { directory, segments, subpartitionCount, writtenAs } = lent;
    this.#file = new SegmentedFile({
      id: writtenAs,
      parent: directory,
      directory: () => Promise.resolve(directory),
      pool,
      segmentBytes: Number.POSITIVE_INFINITY,
      faults: noFaults,
      noteGone: () => {},
      existing: { directory, segments },
    });
    this.#result = new RetainedResult(id, {
      exchange: exchangeTypes.reliable,
      subpartitionCount,
      retention: 'disk',
      budget: new ByteBudget(Number.POSITIVE_INFINITY),
      spillStore: noStore,
      freeze,
      stored: { file: this.#file, index: lent },
    });
  }

  /** @throws PartitionLostError if it no longer has that record */
  read(subpartition: number, fromRecord: number): SubpartitionView {
    return this.#result.read(subpartition, fromRecord);
  }

  /** Closes the file. */
  close(): void {
    void this.#file.detach().catch(() => {});
  }
}
