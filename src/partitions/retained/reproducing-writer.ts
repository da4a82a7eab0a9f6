import { DeterminismBrokenError } from '../../errors/result-errors.ts';
import { Comparison } from '../reproduced/comparison.ts';
import { elementChecksum, type ElementPlace } from '../records/element-codec.ts';
import { differenceOf } from '../reproduced/element-difference.ts';
import { Reproduction } from '../reproduced/reproduction.ts';
import type { Barrier, WrittenElement } from '../stream-element.ts';
import { AppendingWriter } from './appending-writer.ts';
import { ComparingWriter } from './comparing-writer.ts';
import type { ResultWriter } from './result-writer.ts';
import type { LogEntry } from './retained-log.ts';
import type { RetainedResult } from './retained-result.ts';
import type { RetainedResultOptions } from './retained-result-options.ts';

/**
 * RP4. Reproduces a result: present elements are compared, missing ones are restored, and further ones are appended.
 */
export class ReproducingWriter implements ResultWriter {
  readonly #result: RetainedResult;
  /** Writes output that no earlier attempt produced. */
  readonly #rest: AppendingWriter;
  readonly #reproduction: Reproduction;
  /** Number of elements when it began. */
  readonly #elementsBefore: number;
  /** The newest checkpoint of which it had a barrier then. */
  readonly #barrierBefore: number;
  /** Number of those still to be restored. */
  #missing = 0;

  /** Whether the attempt writes nothing, and ends it. */
  readonly #isEndOnly: boolean;

  constructor(
    result: RetainedResult,
    { fromRecords = [], isEndOnly = false }: Pick<RetainedResultOptions, 'fromRecords' | 'isEndOnly'>,
  ) {
    this.#result = result;
    this.#isEndOnly = isEndOnly;
    this.#rest = new AppendingWriter(result);
    const { elements } = result;
    const { lengths } = elements.logs;
    this.#elementsBefore = elements.logs.elementCount;
    this.#barrierBefore = elements.logs.newestBarrier;
    for (const log of elements.logs) {
      for (let index = log.first; index < log.length; index++) {
        const entry = log.entryAt(index);
        if (entry !== undefined && !elements.holds(entry)) this.#missing++;
      }
    }
    this.#reproduction = new Reproduction(
      {
        elementCount: (subpartition) => lengths[subpartition] ?? 0,
        recordCount: (subpartition, index) => elements.logs.of(subpartition).entryAt(index)?.count ?? 0,
        barrierAt: (subpartition, index) => elements.logs.of(subpartition).entryAt(index)?.barrier,
      },
      (subpartition, index, again) => this.#putBack(subpartition, index, again),
      elements.logs.startsAt(fromRecords),
    );
  }

  get isWritable(): boolean {
    const { elements } = this.#result;
    return (this.#isRepeating ? elements.isInStep : elements.hasRoom) || !this.#result.isNeeded;
  }

  get isBehind(): boolean {
    for (const { subpartition } of this.#result.elements.logs) {
      if (this.#reproduction.missing(subpartition) !== undefined) return true;
    }
    return false;
  }

  waitForRoom(): void {
    if (!this.#isRepeating) this.#rest.waitForRoom();
  }

  take(subpartition: number, element: WrittenElement): WrittenElement | undefined {
    this.#rest.assertOpen();
    if (element.kind === 'barrier') return this.#isNew(element) ? element : undefined;
    return this.#reproduction.take(subpartition, element);
  }

  append(subpartition: number, element: WrittenElement): void {
    const { id, elements } = this.#result;
    if (elements.logs.areWhole) {
      const { recordCount } = elements.logs.of(subpartition);
      const what = element.kind === 'records' ? 'records' : 'marks';
      throw new DeterminismBrokenError(id, subpartition, recordCount, `more ${what} than before`);
    }
    this.#rest.append(subpartition, element);
  }

  finish(done: (error?: Error) => void): void {
    const shortfall = this.#isEndOnly && this.#isIntact ? undefined : this.#shortfall();
    if (shortfall !== undefined) done(shortfall);
    else this.#rest.finish(done);
  }

  /** RP5. A result that was complete stays so if all of it is present. */
  curtail(done: (error?: Error) => void): void {
    if (!this.#isIntact) {
      this.#rest.curtail(done);
      return;
    }
    this.#rest.finish((failure) => {
      if (failure !== undefined) this.#result.cut();
      done();
    });
  }

  /** RP4. The rest of a complete result is still compared, so elements that are only in memory get checksums. */
  released(): ResultWriter {
    const { id, elements } = this.#result;
    if (!this.#rest.isOpen || !elements.logs.areWhole) return this.#rest.released();
    return new ComparingWriter(new Comparison(id, elements.logs.traceOfRest(this.#reproduction), this.#reproduction));
  }

  /**
   * A barrier of this attempt comes after the earlier output: its consumers have read some of that, and keep it. It brings
   * them nothing if they have the whole output.
   */
  #isNew({ checkpoint }: Barrier): boolean {
    return !this.#result.elements.logs.areWhole && checkpoint > this.#barrierBefore;
  }

  /** Whether it was complete, and all of it is present. */
  get #isIntact(): boolean {
    return this.#result.elements.logs.areWhole && this.#missing === 0;
  }

  /** Whether all output so far was present already, and so is the next element, if any. */
  get #isRepeating(): boolean {
    return this.#missing === 0 && this.#result.elements.logs.elementCount === this.#elementsBefore;
  }

  /** An earlier element was produced again: it must be the same, or the producer is not deterministic. */
  #putBack(subpartition: number, index: number, again: WrittenElement): void {
    const result = this.#result;
    if (result.isReleased) return;
    const { id, elements } = result;
    const log = elements.logs.of(subpartition);
    const entry = elements.logs.entryAt(subpartition, index);
    if (!isSame(entry, again, { subpartition, sequence: entry.sequence })) {
      throw new DeterminismBrokenError(id, subpartition, entry.sequence, differenceOf(again, entry.count));
    }
    if (index < log.first || elements.holds(entry)) return;
    if (!result.isNeeded) {
      result.cut();
      return;
    }
    this.#missing--;
    if (!elements.putBack(log, index, entry, again)) return;
    result.readers.goOn(entry);
    log.noteFilled();
    elements.memory.noteCrowd(log);
  }

  /** The error if the attempt ended now, because it must reproduce everything. */
  #shortfall(): DeterminismBrokenError | undefined {
    const { id, elements } = this.#result;
    for (const { subpartition } of elements.logs) {
      const missing = this.#reproduction.missing(subpartition);
      if (missing === undefined) continue;
      const { sequence, count } = elements.logs.entryAt(subpartition, missing.index);
      const difference =
        count === 0 ? 'it ended before an earlier mark' : `it ended ${count - missing.produced} or more records early`;
      return new DeterminismBrokenError(id, subpartition, sequence, difference);
    }
    return undefined;
  }
}

function isSame({ element, checksum }: LogEntry, again: WrittenElement, place: ElementPlace): boolean {
  const expected = checksum ?? (element && elementChecksum(element, place));
  if (expected !== undefined) return elementChecksum(again, place) === expected;
  // Without checksums, records that cannot be written are compared by identity.
  if (element?.kind !== 'records' || again.kind !== 'records') return false;
  return element.records.every((record, index) => Object.is(record, again.records[index]));
}
