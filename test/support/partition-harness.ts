import type { Batch, StreamElement } from '../../src/partitions/stream-element.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from '../../src/partitions/result-partition.ts';
import { type ExchangeType, exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { ResultPartitionId } from '../../src/ids.ts';
import { Subject } from 'rxjs';

export const somePartition = { partition: 0, attempt: 0 } as ResultPartitionId;

/** Reads a view and notes what it emits. */
export class Reading {
  readonly elements: StreamElement[] = [];
  error: unknown;
  isComplete = false;
  readonly #subscription;

  constructor(readonlyView: SubpartitionView, credits = 0) {
    this.#view = readonlyView;
    this.#subscription = readonlyView.elements$.subscribe({
      next: (element) => this.elements.push(element),
      error: (error: unknown) => {
        this.error = error;
      },
      complete: () => {
        this.isComplete = true;
      },
    });
    if (credits > 0) this.request(credits);
  }

  readonly #view: SubpartitionView;

  request(credits: number): this {
    this.#view.request(credits);
    return this;
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }

  /** The records so far. */
  get records(): unknown[] {
    return this.elements.flatMap((element) => (element.kind === 'records' ? element.records : []));
  }

  get batchCount(): number {
    return this.elements.filter(({ kind }) => kind === 'records').length;
  }
}

/** A partition that notes what is written to it, and is writable when told. */
export class NotingPartition implements ResultPartition {
  readonly id = somePartition;
  readonly exchange: ExchangeType = exchangeTypes.pipelined;
  readonly subpartitionCount: number;
  readonly written: Batch[][];
  isWritable = true;
  isFinished = false;
  listener: (() => void) | undefined;

  constructor(subpartitionCount: number) {
    this.subpartitionCount = subpartitionCount;
    this.written = Array.from({ length: subpartitionCount }, () => []);
  }

  onWritable(listener: () => void): void {
    this.listener = listener;
  }

  write(subpartition: number, records: Batch): void {
    (this.written[subpartition] as Batch[]).push(records);
  }

  finish(done: (error?: Error) => void): void {
    this.isFinished = true;
    done();
  }

  read(): never {
    throw new Error('nobody reads this');
  }

  verify(done: (error?: Error) => void): void {
    done();
  }

  statistics(): PartitionStatistics {
    return { records: 0, batches: 0, memoryBytes: 0, spilledBytes: 0 };
  }

  release(): void {}

  /** The records of each subpartition. */
  get records(): unknown[][] {
    return this.written.map((batches) => batches.flat());
  }
}

/** A channel that a test feeds by hand; notes the credits it was given. */
export class HandChannel implements SubpartitionView {
  readonly #elements = new Subject<StreamElement>();
  readonly elements$ = this.#elements.asObservable();
  credits = 0;

  get isRead(): boolean {
    return this.#elements.observed;
  }

  request(credits: number): void {
    this.credits += credits;
  }

  emit(...records: unknown[]): void {
    this.credits--;
    this.#elements.next({ kind: 'records', records });
  }

  end(): void {
    this.#elements.next({ kind: 'end' });
    this.#elements.complete();
  }

  fail(error: Error): void {
    this.#elements.error(error);
  }
}
