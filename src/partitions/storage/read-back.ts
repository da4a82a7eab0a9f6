import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { freezeRecords } from '../records/freeze-records.ts';
import { type BatchPlace, decodeBatch } from '../records/record-codec.ts';
import type { Batch } from '../stream-element.ts';
import type { SpillFile } from './spill-store.ts';

/** Where a batch was written. */
export interface WrittenBatch {
  readonly id: ResultPartitionId;
  readonly file: SpillFile;
  readonly offset: number;
  readonly bytes: number;
  readonly place: BatchPlace;
  /** Whether its records were frozen. */
  readonly freeze: boolean;
}

/** Reads a batch back. What does not come back as it was written is a lost partition: its producer runs again. */
export function readBack(
  { id, file, offset, bytes, place, freeze }: WrittenBatch,
  done: (error: PartitionLostError | undefined, records: Batch) => void,
): void {
  const lose = (cause: unknown): void => {
    done(new PartitionLostError(id, toError(cause).message, { cause, location: file.locate(offset) }), []);
  };
  file.read(offset, bytes, (error, frame) => {
    if (error !== undefined) {
      lose(error);
      return;
    }
    let records: Batch;
    try {
      records = decodeBatch(frame, place);
    } catch (cause) {
      lose(cause);
      return;
    }
    if (freeze) {
      freezeRecords(records);
      Object.freeze(records);
    }
    done(undefined, records);
  });
}
