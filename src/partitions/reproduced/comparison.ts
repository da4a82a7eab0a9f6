import { DeterminismBrokenError } from '../../errors/result-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { elementChecksum } from '../records/element-codec.ts';
import type { ResultTrace } from '../result-trace.ts';
import { recordCountOf, type WrittenElement } from '../stream-element.ts';
import { differenceOf } from './element-difference.ts';
import { type CompareElement, Reproduction } from './reproduction.ts';

/** Compares an attempt's output with the trace of the first output, without storing it. */
export class Comparison {
  readonly #id: ResultPartitionId;
  readonly #before: ResultTrace;
  readonly #reproduction: Reproduction;
  /** By subpartition: records before the next element that is to be compared. */
  readonly #sequences: number[] = [];

  /** @param reproduction how far the attempt is, if it has begun; default: at the beginning */
  constructor(id: ResultPartitionId, before: ResultTrace, reproduction?: Reproduction) {
    this.#id = id;
    this.#before = before;
    const compare: CompareElement = (subpartition, index, again) => this.#compare(subpartition, index, again);
    if (reproduction === undefined) this.#reproduction = new Reproduction(before, compare);
    else {
      this.#reproduction = reproduction;
      reproduction.goOn(before, compare);
    }
  }

  /** @throws DeterminismBrokenError if this is something else than before */
  take(subpartition: number, element: WrittenElement): void {
    const more = this.#reproduction.take(subpartition, element);
    if (more !== undefined) this.refuse(subpartition, more);
  }

  /** What was not produced before. @throws DeterminismBrokenError if the result before was whole */
  refuse(subpartition: number, more: WrittenElement): void {
    if (!this.#before.isWhole) return;
    const end = this.#before.sequence(subpartition, this.#before.elementCount(subpartition));
    const what = more.kind === 'records' ? 'records' : 'marks';
    throw new DeterminismBrokenError(this.#id, subpartition, end, `more ${what} than before`);
  }

  /** What is wrong if the attempt ends now. */
  shortfall(): DeterminismBrokenError | undefined {
    for (let subpartition = 0; subpartition < this.#before.subpartitionCount; subpartition++) {
      const missing = this.#reproduction.missing(subpartition);
      if (missing === undefined) continue;
      const sequence = this.#before.sequence(subpartition, missing.index);
      return new DeterminismBrokenError(this.#id, subpartition, sequence, 'it ended early');
    }
    return undefined;
  }

  #compare(subpartition: number, index: number, again: WrittenElement): void {
    const sequence = this.#sequences[subpartition] ?? this.#before.sequence(subpartition, index);
    const expected = this.#before.checksum(subpartition, index);
    // An element without a checksum counts as different.
    if (expected === undefined || elementChecksum(again, { subpartition, sequence }) !== expected) {
      const difference = differenceOf(again, this.#before.recordCount(subpartition, index));
      throw new DeterminismBrokenError(this.#id, subpartition, sequence, difference);
    }
    this.#sequences[subpartition] = sequence + recordCountOf(again);
  }
}
