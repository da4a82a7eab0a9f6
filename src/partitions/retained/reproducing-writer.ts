import { DeterminismBrokenError } from '../../errors/result-errors.ts';
import { Comparison } from '../reproduced/comparison.ts';
import { batchChecksum, type BatchPlace } from '../records/record-codec.ts';
import { Reproduction } from '../reproduced/reproduction.ts';
import type { Batch } from '../stream-element.ts';
import { AppendingWriter } from './appending-writer.ts';
import { ComparingWriter } from './comparing-writer.ts';
import type { ResultWriter } from './result-writer.ts';
import type { RetainedBatch } from './retained-log.ts';
import type { RetainedResult } from './retained-result.ts';

/**
 * RP4. Writes a result again: batches that are there are compared, those that are missing are put back, and what follows is
 * appended.
 */
export class ReproducingWriter implements ResultWriter {
  readonly #result: RetainedResult;
  /** Writes what no attempt has produced before. */
  readonly #rest: AppendingWriter;
  readonly #reproduction: Reproduction;
  /** Batches that there were when it began. */
  readonly #batchesBefore: number;
  /** Those of them that are still to be put back. */
  #missing = 0;

  constructor(result: RetainedResult) {
    this.#result = result;
    this.#rest = new AppendingWriter(result);
    const { batches } = result;
    const { lengths } = batches.logs;
    this.#batchesBefore = batches.logs.batchCount;
    for (const log of batches.logs) for (const batch of log.kept()) if (!batches.holds(batch)) this.#missing++;
    this.#reproduction = new Reproduction(
      {
        batchCount: (subpartition) => lengths[subpartition] ?? 0,
        recordCount: (subpartition, index) => batches.logs.of(subpartition).batchAt(index)?.count ?? 0,
      },
      (subpartition, index, records) => this.#putBack(subpartition, index, records),
    );
  }

  get isWritable(): boolean {
    const { batches } = this.#result;
    return (this.#isRepeating ? batches.isInStep : batches.hasRoom) || !this.#result.isNeeded;
  }

  waitForRoom(): void {
    if (!this.#isRepeating) this.#rest.waitForRoom();
  }

  take(subpartition: number, records: Batch): Batch {
    this.#rest.assertOpen();
    return this.#reproduction.take(subpartition, records);
  }

  append(subpartition: number, records: Batch): void {
    const { id, batches } = this.#result;
    if (batches.logs.areWhole) {
      const { recordCount } = batches.logs.of(subpartition);
      throw new DeterminismBrokenError(id, subpartition, recordCount, 'more records than before');
    }
    this.#rest.append(subpartition, records);
  }

  finish(done: (error?: Error) => void): void {
    const shortfall = this.#shortfall();
    if (shortfall !== undefined) done(shortfall);
    else this.#rest.finish(done);
  }

  /** RP5. What was whole before stays so if it is all there. */
  curtail(done: (error?: Error) => void): void {
    if (!this.#result.batches.logs.areWhole || this.#missing > 0) {
      this.#rest.curtail(done);
      return;
    }
    this.#rest.finish((failure) => {
      if (failure !== undefined) this.#result.cut();
      done();
    });
  }

  /** RP4. What is still to come of a whole result is compared, so checksums are made of what is in memory alone. */
  released(): ResultWriter {
    const { id, batches } = this.#result;
    if (!this.#rest.isOpen || !batches.logs.areWhole) return this.#rest.released();
    return new ComparingWriter(new Comparison(id, batches.logs.traceOfRest(this.#reproduction), this.#reproduction));
  }

  /** Whether everything that came so far is there already, and so is what comes next, if anything does. */
  get #isRepeating(): boolean {
    return this.#missing === 0 && this.#result.batches.logs.batchCount === this.#batchesBefore;
  }

  /** A batch that was produced before has come again: the same, or the claim is broken. */
  #putBack(subpartition: number, index: number, records: Batch): void {
    const result = this.#result;
    if (result.isReleased) return;
    const { id, batches } = result;
    const log = batches.logs.of(subpartition);
    const batch = batches.logs.batchAt(subpartition, index);
    if (!isSame(batch, records, { subpartition, sequence: batch.sequence })) {
      throw new DeterminismBrokenError(id, subpartition, batch.sequence, 'other records');
    }
    if (index < log.first || batches.holds(batch)) return;
    if (!result.isNeeded) {
      result.cut();
      return;
    }
    this.#missing--;
    if (!batches.putBack(log, index, batch, records)) return;
    result.readers.goOn(batch);
    log.noteFilled();
    batches.memory.noteCrowd(log);
  }

  /** The claim is broken by an attempt that ends before it has produced everything again. */
  #shortfall(): DeterminismBrokenError | undefined {
    const { id, batches } = this.#result;
    for (const { subpartition } of batches.logs) {
      const missing = this.#reproduction.missing(subpartition);
      if (missing === undefined) continue;
      const { sequence, count } = batches.logs.batchAt(subpartition, missing.batch);
      const difference = `it ended ${count - missing.produced} or more records early`;
      return new DeterminismBrokenError(id, subpartition, sequence, difference);
    }
    return undefined;
  }
}

function isSame({ records, checksum }: RetainedBatch, again: Batch, place: BatchPlace): boolean {
  const expected = checksum ?? (records && batchChecksum(records, place));
  if (expected !== undefined) return batchChecksum(again, place) === expected;
  // What cannot be written cannot be compared, except with the very same.
  return records !== undefined && records.every((record, index) => Object.is(record, again[index]));
}
