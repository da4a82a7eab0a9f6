import type { Subscriber } from 'rxjs';
import { Observable } from '../rxjs/rxjs-classes.ts';
import { PartitionLostError } from '../errors/result-errors.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { ExchangeType } from '../graph/exchange-type.ts';
import type { ResultPartitionId } from '../ids.ts';
import type { PartitionStatistics, ResultPartition, SubpartitionView } from './result-partition.ts';
import { endOfPartition, type StreamElement, type WrittenElement } from './stream-element.ts';

export interface PipelinedResultPartitionOptions {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  /** Maximum waiting elements per subpartition before the producer has to stop. Default 4. */
  readonly queueCapacity?: number;
  /** Called when no consumer needs the rest of it. */
  readonly curtailed?: () => void;
}

/**
 * A result that is read once, while it is written, and not retained. Each subpartition is a bounded queue; a full one
 * stops the producer.
 *
 * Invariants:
 * - PP1 Nothing is emitted without a credit, except the end.
 * - PP2 The producer is notified only when the last full queue has room again.
 * - PP3 Elements for a reader that went away are dropped and delay no one.
 * - PP4 It is needed until every reader was dismissed or it is released. A reader that only went away still needs
 *   it: it failed, and its producer with it.
 */
export class PipelinedResultPartition implements ResultPartition {
  readonly id: ResultPartitionId;
  readonly exchange: ExchangeType;
  readonly subpartitionCount: number;
  /** Created on first use: a short-lived producer may use three of 10 000 subpartitions. */
  readonly #subpartitions: (Subpartition | undefined)[] = [];
  readonly #capacity: number;
  readonly #curtailed: (() => void) | undefined;
  readonly #owner: SubpartitionOwner = {
    noteFull: (full) => {
      this.#fullCount += full ? 1 : -1;
      if (this.#fullCount === 0) this.#listener?.();
    },
    noteDismissed: () => {
      this.#dismissedCount++;
      if (!this.isNeeded) this.#listener?.();
    },
  };
  #fullCount = 0;
  #dismissedCount = 0;
  #listener: (() => void) | undefined;
  #records = 0;
  #batches = 0;
  #phase: 'open' | 'finished' | 'released' = 'open';

  constructor(options: PipelinedResultPartitionOptions) {
    this.id = options.id;
    this.exchange = options.exchange;
    this.subpartitionCount = options.subpartitionCount;
    this.#capacity = options.queueCapacity ?? 4;
    this.#curtailed = options.curtailed;
  }

  get isWritable(): boolean {
    return this.#fullCount === 0;
  }

  get isNeeded(): boolean {
    return this.#phase !== 'released' && this.#dismissedCount < this.subpartitionCount;
  }

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  /** Its readers make room by reading, so there is no time limit. */
  waitForRoom(): void {}

  write(subpartition: number, element: WrittenElement): void {
    if (this.#phase === 'released') return;
    if (this.#phase !== 'open') {
      throw new IllegalStateError(`An element was written to partition ${this.id.partition}, which is ${this.#phase}`);
    }
    if (element.kind === 'records') {
      this.#records += element.records.length;
      this.#batches++;
    }
    this.#subpartition(subpartition).append(element);
  }

  finish(done: (error?: Error) => void): void {
    if (this.#phase === 'open') {
      this.#phase = 'finished';
      for (const subpartition of this.#subpartitions) subpartition?.append(endOfPartition);
    }
    done();
  }

  /** Every reader was dismissed, so there is none to notify of the end. */
  curtail(done: (error?: Error) => void): void {
    if (this.#phase === 'open') this.#curtailed?.();
    this.finish(done);
  }

  read(subpartition: number, fromRecord = 0): SubpartitionView {
    if (this.#phase === 'released') throw new PartitionLostError(this.id, 'it was released');
    if (fromRecord > 0) {
      throw new IllegalStateError(
        `Partition ${this.id.partition} is pipelined, so it can only be read from its beginning`,
      );
    }
    return this.#subpartition(subpartition).open();
  }

  verify(done: (error?: Error) => void): void {
    done(this.#phase === 'released' ? new PartitionLostError(this.id, 'it was released') : undefined);
  }

  statistics(): PartitionStatistics {
    return { records: this.#records, batches: this.#batches, memoryBytes: 0, spilledBytes: 0 };
  }

  release(): void {
    if (this.#phase === 'released') return;
    this.#phase = 'released';
    for (const subpartition of this.#subpartitions)
      subpartition?.lose(new PartitionLostError(this.id, 'it was released'));
    this.#subpartitions.length = 0;
  }

  #subpartition(index: number): Subpartition {
    const known = this.#subpartitions[index];
    if (known !== undefined) return known;
    if (!(index >= 0 && index < this.subpartitionCount)) {
      throw new IllegalStateError(
        `Partition ${this.id.partition} has ${this.subpartitionCount} subpartitions, and none with number ${index}`,
      );
    }
    const made = new Subpartition(this.id, this.#capacity, this.#owner);
    if (this.#phase === 'finished') made.append(endOfPartition);
    this.#subpartitions[index] = made;
    return made;
  }
}

/** The observers of a subpartition. */
interface SubpartitionOwner {
  noteFull(full: boolean): void;
  noteDismissed(): void;
}

/** A bounded queue, and the view of its only reader once one is open. */
class Subpartition implements SubpartitionView {
  readonly elements$: Observable<StreamElement>;
  readonly #id: ResultPartitionId;
  readonly #capacity: number;
  readonly #owner: SubpartitionOwner;
  readonly #queue: StreamElement[] = [];
  #reader: 'none' | 'opened' | 'gone' | 'dismissed' | Subscriber<StreamElement> = 'none';
  #credits = 0;
  #isEmitting = false;
  #isFull = false;
  #lost: Error | undefined;

  constructor(id: ResultPartitionId, capacity: number, owner: SubpartitionOwner) {
    this.#id = id;
    this.#capacity = capacity;
    this.#owner = owner;
    this.elements$ = new Observable((subscriber) => {
      if (this.#reader !== 'opened') throw new IllegalStateError('A subpartition has one reader');
      this.#reader = subscriber;
      this.#emit();
      return () => this.#forget('gone');
    });
  }

  open(): SubpartitionView {
    if (this.#reader !== 'none') {
      throw new PartitionLostError(this.#id, 'it was read before, and a pipelined result can be read only once');
    }
    this.#reader = 'opened';
    return this;
  }

  request(credits: number): void {
    this.#credits += credits;
    this.#emit();
  }

  dismiss(): void {
    if (this.#reader === 'dismissed') return;
    this.#forget('dismissed');
    this.#owner.noteDismissed();
  }

  append(element: StreamElement): void {
    if (this.#reader === 'gone' || this.#reader === 'dismissed') return;
    this.#queue.push(element);
    this.#updateFull();
    this.#emit();
  }

  /** The data is lost before it was read. */
  lose(error: Error): void {
    this.#lost = error;
    this.#emit();
  }

  #emit(): void {
    // If a reader requests more, or a producer writes, while an element is being emitted, the loop below serves it.
    if (this.#isEmitting || typeof this.#reader === 'string') return;
    const reader = this.#reader;
    this.#isEmitting = true;
    for (;;) {
      const next = this.#queue[0];
      if (this.#lost !== undefined && next?.kind !== 'end') {
        reader.error(this.#lost);
        break;
      }
      if (next === undefined) break;
      if (next.kind === 'end') {
        reader.next(next);
        reader.complete();
        break;
      }
      if (this.#credits === 0) break;
      this.#credits--;
      this.#queue.shift();
      this.#updateFull();
      reader.next(next);
      if (reader.closed) break;
    }
    this.#isEmitting = false;
  }

  #forget(reader: 'gone' | 'dismissed'): void {
    if (this.#reader === 'dismissed') return;
    this.#reader = reader;
    this.#queue.length = 0;
    this.#updateFull();
  }

  #updateFull(): void {
    const isFull = this.#queue.length >= this.#capacity;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#owner.noteFull(isFull);
  }
}
