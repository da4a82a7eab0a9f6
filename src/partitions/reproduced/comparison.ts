import { DeterminismBrokenError } from '../../errors/result-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { batchChecksum } from '../records/record-codec.ts';
import type { ResultTrace } from '../result-trace.ts';
import type { Batch } from '../stream-element.ts';
import { Reproduction } from './reproduction.ts';

/** Compares what an attempt produces with the trace of what was produced before, and keeps nothing of it. */
export class Comparison {
  readonly #id: ResultPartitionId;
  readonly #before: ResultTrace;
  readonly #reproduction: Reproduction;
  /** By subpartition: number of the first record that is to be compared. */
  readonly #sequences: number[] = [];

  /** @param reproduction how far the attempt is, if it has begun; default: at the beginning */
  constructor(id: ResultPartitionId, before: ResultTrace, reproduction?: Reproduction) {
    this.#id = id;
    this.#before = before;
    const compare = (subpartition: number, batch: number, records: Batch): void =>
      this.#compare(subpartition, batch, records);
    if (reproduction === undefined) this.#reproduction = new Reproduction(before, compare);
    else {
      this.#reproduction = reproduction;
      reproduction.goOn(before, compare);
    }
  }

  /** @throws DeterminismBrokenError if these are other records than before */
  take(subpartition: number, records: Batch): void {
    this.assertNone(subpartition, this.#reproduction.take(subpartition, records));
  }

  /** @throws DeterminismBrokenError if there are records that were not produced before */
  assertNone(subpartition: number, more: Batch): void {
    if (more.length === 0 || !this.#before.isWhole) return;
    const end = this.#before.sequence(subpartition, this.#before.batchCount(subpartition));
    throw new DeterminismBrokenError(this.#id, subpartition, end, 'more records than before');
  }

  /** What is wrong if the attempt ends now. */
  shortfall(): DeterminismBrokenError | undefined {
    for (let subpartition = 0; subpartition < this.#before.subpartitionCount; subpartition++) {
      const missing = this.#reproduction.missing(subpartition);
      if (missing === undefined) continue;
      const sequence = this.#before.sequence(subpartition, missing.batch);
      return new DeterminismBrokenError(this.#id, subpartition, sequence, 'it ended early');
    }
    return undefined;
  }

  #compare(subpartition: number, batch: number, records: Batch): void {
    const sequence = this.#sequences[subpartition] ?? this.#before.sequence(subpartition, batch);
    const expected = this.#before.checksum(subpartition, batch);
    // What cannot be shown to be the same counts as something else.
    if (expected === undefined || batchChecksum(records, { subpartition, sequence }) !== expected) {
      throw new DeterminismBrokenError(this.#id, subpartition, sequence, 'other records');
    }
    this.#sequences[subpartition] = sequence + records.length;
  }
}
