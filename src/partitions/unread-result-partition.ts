import { PartitionLostError } from '../errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import type { Batch } from './stream-element.ts';

/** A result that is produced again only because its task is: everybody has read it, and nothing of it is kept. */
export class UnreadResultPartition implements ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  readonly isWritable = true;
  #records = 0;
  #batches = 0;

  constructor({ id, exchange, subpartitionCount }: Pick<ResultPartition, 'id' | 'exchange' | 'subpartitionCount'>) {
    this.id = id;
    this.exchange = exchange;
    this.subpartitionCount = subpartitionCount;
  }

  onWritable(): void {}

  write(_subpartition: number, records: Batch): void {
    this.#records += records.length;
    this.#batches++;
  }

  finish(done: (error?: Error) => void): void {
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

  #gone(): PartitionLostError {
    return new PartitionLostError(this.id, 'everybody had read it, and it was given up');
  }
}
