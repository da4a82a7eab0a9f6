import { freezeRecords } from './freeze-records.ts';
import { subpartitionOfKey } from './key-hash.ts';
import type { ResultPartition } from './result-partition.ts';
import type { Batch } from './stream-element.ts';
import type { TaskOutput } from './task-io.ts';

/** How the records of one edge find their subpartition. */
export type ChannelSelection =
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'broadcast' }
  | { readonly kind: 'hash'; readonly keyOf: (record: never) => unknown };

export interface RecordWriterOptions {
  readonly partition: ResultPartition;
  readonly selection: ChannelSelection;
  /** Records per batch. */
  readonly batchSize: number;
  /** Where round robin starts: the producer's own index, so that producers do not all begin with the same consumer. */
  readonly subtask: number;
  readonly freeze: boolean;
}

/** Writes the results of one task to one edge: chooses the subpartition of each record, and fills batches. */
export class RecordWriter implements TaskOutput {
  readonly failure = undefined;
  readonly #partition: ResultPartition;
  readonly #selection: ChannelSelection;
  readonly #batchSize: number;
  readonly #freeze: boolean;
  /** The batch being filled, by subpartition; made on first use. */
  readonly #batches: (unknown[] | undefined)[] = [];
  #next: number;

  constructor({ partition, selection, batchSize, subtask, freeze }: RecordWriterOptions) {
    this.#partition = partition;
    this.#selection =
      partition.subpartitionCount === 1 && selection.kind !== 'hash' ? { kind: 'broadcast' } : selection;
    this.#batchSize = batchSize;
    this.#freeze = freeze;
    this.#next = subtask % partition.subpartitionCount;
  }

  get isWritable(): boolean {
    if (this.#partition.isWritable) return true;
    this.#partition.waitForRoom?.();
    return false;
  }

  onWritable(listener: () => void): void {
    this.#partition.onWritable(listener);
  }

  write(records: Batch): void {
    if (records.length === 0) return;
    if (this.#freeze) freezeRecords(records);
    const { subpartitionCount } = this.#partition;
    const selection = this.#selection;
    switch (selection.kind) {
      case 'broadcast':
        return this.#writeToAll(records);
      case 'round-robin':
        for (const record of records) {
          this.#append(this.#next, record);
          if (++this.#next === subpartitionCount) this.#next = 0;
        }
        return;
      case 'hash': {
        const keyOf = selection.keyOf as (record: unknown) => unknown;
        for (const record of records) this.#append(subpartitionOfKey(keyOf(record), subpartitionCount), record);
      }
    }
  }

  flush(): void {
    for (const [subpartition, batch] of this.#batches.entries()) {
      if (batch === undefined || batch.length === 0) continue;
      this.#batches[subpartition] = undefined;
      if (this.#selection.kind === 'broadcast') this.#handToAll(batch);
      else this.#hand(subpartition, batch);
    }
  }

  finish(done: (error?: Error) => void): void {
    this.flush();
    this.#partition.finish(done);
  }

  /** What was written stays until whoever owns the partition releases it: a reader must not take it for complete. */
  abort(done: () => void): void {
    this.#batches.length = 0;
    done();
  }

  #append(subpartition: number, record: unknown): void {
    let batch = this.#batches[subpartition];
    if (batch === undefined) this.#batches[subpartition] = batch = [];
    batch.push(record);
    if (batch.length < this.#batchSize) return;
    this.#batches[subpartition] = undefined;
    this.#hand(subpartition, batch);
  }

  /** One batch being filled serves all subpartitions. */
  #writeToAll(records: Batch): void {
    const waiting = this.#batches[0];
    if (waiting === undefined && records.length * 2 > this.#batchSize) {
      this.#handToAll(records);
      return;
    }
    const batch = waiting ?? [];
    for (const record of records) batch.push(record);
    this.#batches[0] = batch.length < this.#batchSize ? batch : undefined;
    if (batch.length >= this.#batchSize) this.#handToAll(batch);
  }

  #handToAll(batch: Batch): void {
    for (let index = 0; index < this.#partition.subpartitionCount; index++) this.#hand(index, batch);
  }

  #hand(subpartition: number, batch: Batch): void {
    if (this.#freeze) Object.freeze(batch);
    this.#partition.write(subpartition, batch);
  }
}
