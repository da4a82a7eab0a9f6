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
  /** By subpartition: the number of records before the next element to compare. */
  readonly #sequences: number[] = [];

  /** @param reproduction the progress of the attempt, if it has begun; default: at the beginning */
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

  /** @throws DeterminismBrokenError if the element differs from the first output */
  take(subpartition: number, element: WrittenElement): void {
    if (element.kind === 'barrier') return;
    const more = this.#reproduction.take(subpartition, element);
    if (more !== undefined) this.refuse(subpartition, more);
  }

  /** An element beyond the first output. @throws DeterminismBrokenError if the first output was complete */
  refuse(subpartition: number, more: WrittenElement): void {
    if (!this.#before.isWhole || more.kind === 'barrier') return;
    const end = this.#before.sequence(subpartition, this.#before.elementCount(subpartition));
    const what = more.kind === 'records' ? 'records' : 'marks';
    throw new DeterminismBrokenError(this.#id, subpartition, end, `more ${what} than before`);
  }

  /** The error if the attempt ended now. */
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
