import { DeterminismBrokenError, PartitionLostError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import { encodeBatch, frameChecksum } from './record-codec.ts';
import { Reproduction } from './reproduction.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import type { ResultTrace } from './result-trace.ts';
import type { Batch } from './stream-element.ts';

/**
 * A result that is produced again only because its task is: everybody has read it, and nothing of it is kept. It is
 * compared with what is left of it, so that those who have read it can be told if it was something else.
 */
export class UnreadResultPartition implements ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly isWritable = true;
  readonly #before: ResultTrace;
  readonly #reproduction: Reproduction;
  /** By subpartition: records that were compared. */
  readonly #compared: number[] = [];
  #records = 0;
  #batches = 0;

  constructor(of: Pick<ResultPartition, 'id' | 'exchange' | 'subpartitionCount'>, before: ResultTrace) {
    this.id = of.id;
    this.exchange = of.exchange;
    this.subpartitionCount = of.subpartitionCount;
    this.#before = before;
    this.#reproduction = new Reproduction(before, (subpartition, batch, records) =>
      this.#compare(subpartition, batch, records),
    );
  }

  onWritable(): void {}

  write(subpartition: number, records: Batch): void {
    this.#records += records.length;
    this.#batches++;
    const more = this.#reproduction.take(subpartition, records);
    if (more.length === 0) return;
    throw new DeterminismBrokenError(
      this.id,
      subpartition,
      this.#compared[subpartition] ?? 0,
      'more records than before',
    );
  }

  finish(done: (error?: Error) => void): void {
    for (let subpartition = 0; subpartition < this.#before.subpartitionCount; subpartition++) {
      if (this.#reproduction.missing(subpartition) === undefined) continue;
      const sequence = this.#compared[subpartition] ?? 0;
      done(new DeterminismBrokenError(this.id, subpartition, sequence, 'it ended early'));
      return;
    }
    done();
  }

  read(): SubpartitionView {
    throw this.#gone();
  }

  verify(done: (error?: Error) => void): void {
    done(this.#gone());
  }

  statistics(): PartitionStatistics {
    return { records: this.#records, batches: this.#batches, memoryBytes: 0, spilledBytes: 0 };
  }

  release(): void {}

  trace(): ResultTrace {
    return this.#before;
  }

  #compare(subpartition: number, batch: number, records: Batch): void {
    const sequence = this.#compared[subpartition] ?? 0;
    const checksum = frameChecksum(encodeBatch(records, { subpartition, sequence }));
    if (checksum !== this.#before.checksum(subpartition, batch)) {
      throw new DeterminismBrokenError(this.id, subpartition, sequence, 'other records');
    }
    this.#compared[subpartition] = sequence + records.length;
  }

  #gone(): PartitionLostError {
    return new PartitionLostError(this.id, 'everybody had read it, and it was given up');
  }
}
