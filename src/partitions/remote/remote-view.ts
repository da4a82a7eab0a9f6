import type { Subscriber } from 'rxjs';
import { Observable } from '../../rxjs/rxjs-classes.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { freezeRecords } from '../records/freeze-records.ts';
import type { SubpartitionView } from '../result-partition.ts';
import { elementOf, endOfPartition, type StreamElement } from '../stream-element.ts';
import type { WireElement } from './exchange-messages.ts';
import { WireDecoder, wireBytes } from './wire-records.ts';

/** What arrives: from the owner, or from its file. */
type Arriving = WireElement | StreamElement;

/** The connection of a remote reader to the owner of its result, or to the file that the owner has lent. */
export interface ReaderHost {
  /** Grants the reader so many more credits there. */
  request(credits: number): void;
  dismiss(): void;
  leave(): void;
  /** About how many bytes the reader may hold ahead of its consumer. */
  readonly aheadBytes: number;
  readonly freeze: boolean;
}

/** The fewest and most elements that a reader holds ahead, or that are on their way. */
const fewestAhead = 2;
const mostAhead = 128;

/**
 * A reader of a result in another executor. Since the way there is long, it asks for more elements than its consumer
 * has room for, and holds them: few at first, and more whenever its consumer finds none. So a slow consumer has its
 * producer make little ahead, and a fast one does not wait.
 *
 * - RV1 It emits nothing without a credit of its consumer, except the end.
 * - RV2 What it holds and what is on its way is bounded: in elements, and by the size of the last one in bytes.
 * - RV3 A loss ends it at once, whatever it holds; unless it holds the end, and so needs its owner no more.
 */
export class RemoteView implements SubpartitionView {
  readonly elements$: Observable<StreamElement>;
  readonly #id: ResultPartitionId;
  readonly #host: ReaderHost;
  readonly #decoder = new WireDecoder();
  #subscriber: Subscriber<StreamElement> | undefined;
  #state: 'unread' | 'reading' | 'over' = 'unread';
  /** What arrived and is not emitted yet. */
  readonly #held: Arriving[] = [];
  /** Whether nothing more comes: the end arrived, or the loss. */
  #isSettled = false;
  #lost: Error | undefined;
  /** Of its consumer. */
  #credits = 0;
  /** Credits at the owner, or elements on their way. */
  #requested: number;
  /** How many elements it holds ahead, or has on their way, if they are not too large. */
  #reach = fewestAhead;
  /** How many elements of the size of the last one it may hold. */
  #fitting = fewestAhead;
  #isEmitting = false;

  /** @param credits those that it was opened with */
  constructor(id: ResultPartitionId, host: ReaderHost, credits: number) {
    this.#id = id;
    this.#host = host;
    this.#requested = credits;
    this.elements$ = new Observable((subscriber) => {
      if (this.#state !== 'unread') throw new IllegalStateError('A view has one reader');
      this.#state = 'reading';
      this.#subscriber = subscriber;
      this.#emit();
      return () => this.#end(() => this.#host.leave());
    });
  }

  request(credits: number): void {
    this.#credits += credits;
    this.#emit();
    if (this.#held.length === 0) this.#reach = Math.min(mostAhead, this.#reach * 2);
    this.#requestMore();
  }

  dismiss(): void {
    const subscriber = this.#subscriber;
    this.#end(() => this.#host.dismiss());
    subscriber?.unsubscribe();
  }

  /** An element has arrived. */
  take(element: Arriving): void {
    if (this.#state === 'over') return;
    this.#held.push(element);
    if (element.kind === 'end') this.#isSettled = true;
    else this.#requested--;
    if (element.kind === 'records' && 'columns' in element) {
      this.#fitting = Math.floor(this.#host.aheadBytes / wireBytes(element));
    }
    this.#emit();
    this.#requestMore();
  }

  /** RV3. Not called once the end has arrived. */
  lose(error: Error): void {
    this.#isSettled = true;
    this.#lost = error;
    this.#held.length = 0;
    this.#emit();
  }

  #emit(): void {
    const subscriber = this.#subscriber;
    // If the consumer requests more while it gets an element, the loop serves it.
    if (this.#isEmitting || subscriber === undefined || this.#state !== 'reading') return;
    this.#isEmitting = true;
    while (!subscriber.closed) {
      if (this.#lost !== undefined) {
        subscriber.error(this.#lost);
        break;
      }
      const [next] = this.#held;
      if (next?.kind === 'end') {
        subscriber.next(endOfPartition);
        subscriber.complete();
        break;
      }
      if (next === undefined || this.#credits === 0) break;
      this.#held.shift();
      this.#credits--;
      const element = this.#decoded(next);
      if (element !== undefined) subscriber.next(element);
    }
    this.#isEmitting = false;
  }

  #decoded(element: Exclude<Arriving, { kind: 'end' }>): StreamElement | undefined {
    if (!('columns' in element)) return element;
    let records: unknown[];
    try {
      records = this.#decoder.decode(element);
    } catch (cause) {
      this.#lost = new PartitionLostError(this.#id, `an element arrived damaged: ${toError(cause).message}`, { cause });
      return undefined;
    }
    if (this.#host.freeze) {
      freezeRecords(records);
      Object.freeze(records);
    }
    return elementOf(records);
  }

  /** RV2. A few credits at once, unless the consumer waits for them. */
  #requestMore(): void {
    if (this.#isSettled || this.#state === 'over') return;
    const coming = this.#held.length + this.#requested;
    const ahead = Math.max(fewestAhead, Math.min(this.#reach, this.#fitting));
    const missing = Math.max(this.#credits, ahead) - coming;
    if (missing <= 0 || (coming >= this.#credits && missing * 2 < ahead)) return;
    this.#requested += missing;
    this.#host.request(missing);
  }

  /** @param tell what the owner is told, if it still has to do with this reader */
  #end(tell: () => void): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#held.length = 0;
    if (!this.#isSettled) tell();
  }
}
