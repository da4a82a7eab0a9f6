import { type Observable, Subject, type Subscription } from 'rxjs';
import { type ChannelOrder, type OrderPosition, OrderReplay } from '../../partitions/channel-order.ts';
import type { SubpartitionView } from '../../partitions/result-partition.ts';
import {
  elementOf,
  endOfPartition,
  recordCountOf,
  type StreamElement,
  type WrittenElement,
} from '../../partitions/stream-element.ts';
import type { CheckpointId } from '../../ids.ts';
import type { TaskInput } from '../../partitions/task-io.ts';
import type { StateSnapshot } from '../state/state-snapshot.ts';
import type { GateState } from '../state/task-state.ts';
import { PassedMarks } from './passed-marks.ts';

/** The position at which a restored gate continues. */
export interface RestoredGate {
  readonly state: GateState;
  /** The checkpoint to which the state belongs. */
  readonly checkpoint: CheckpointId;
}

/** Number of elements whose origin is stored: more than a chain of operators lags behind. */
const mostArrivals = 1_024;

/** The origin of an element's records. */
interface Arrival {
  /** Number of its first record among all emitted records. */
  readonly first: number;
  readonly channel: number;
  /** Number of its first record in the channel. */
  readonly sequence: number;
}

/** Maximum elements of a channel under way: one is processed while the next arrives. */
const creditsPerChannel = 2;

/**
 * Merges the channels of one task, over all edges, one element at a time and in turn. The cost per element does not
 * depend on the number of channels.
 *
 * Invariants:
 * - IG1 Order is kept within a channel.
 * - IG2 It holds at most two elements of a channel, and requests the next when one was taken.
 * - IG3 A channel that always has elements does not starve the others.
 * - IG4 With a recorded order, it takes records and marks in that order, regardless of batch sizes; after its end
 *   it takes turns, and records them.
 * - IG5 A restored gate skips the marks of a channel up to the barrier of its checkpoint, and continues in the
 *   recorded order.
 */
export class InputGate implements TaskInput {
  readonly elements$: Observable<StreamElement>;
  readonly #elements = new Subject<StreamElement>();
  readonly #views: readonly SubpartitionView[];
  readonly #queues: StreamElement[][];
  readonly #subscriptions: Subscription[] = [];
  /** Channels with elements, each once, in the order they are served. */
  readonly #ready = new ReadyList();
  readonly #order: ChannelOrder | undefined;
  #replay: OrderReplay | undefined;
  #openCount: number;
  #listener: (() => void) | undefined;
  #failure: Error | undefined;
  #phase: 'open' | 'ended' | 'failed' | 'closed' = 'open';

  /** The latest elements, oldest first. */
  readonly #arrivals: Arrival[] = [];
  #emitted = 0;
  /** By channel: number of records taken. */
  readonly #emittedOf: number[];
  /** By channel, if it was restored. */
  readonly #passed: readonly PassedMarks[] | undefined;
  readonly #nameOf: (channel: number) => string;

  /**
   * @param order the recorded order, which it follows to the end and then extends
   * @param nameOf names the subpartition that a channel reads: `map-1[0] → sums, subpartition 2`
   * @param restored the position at which it continues; the views begin at its records
   */
  constructor(
    views: readonly SubpartitionView[],
    order?: ChannelOrder,
    nameOf: (channel: number) => string = (channel) => `channel ${channel}`,
    restored?: RestoredGate,
  ) {
    this.elements$ = this.#elements.asObservable();
    this.#views = views;
    this.#queues = views.map(() => []);
    this.#emittedOf = views.map((_, channel) => restored?.state.channels[channel] ?? 0);
    this.#passed = restored && views.map(() => new PassedMarks(restored.checkpoint));
    this.#nameOf = nameOf;
    this.#openCount = views.length;
    this.#order = order;
    this.#replay =
      order === undefined || order.length === 0 ? undefined : new OrderReplay(order, restored?.state.order);
    for (const [channel, view] of views.entries()) {
      this.#subscriptions.push(
        view.elements$.subscribe({
          next: (element) => {
            if (this.#passed === undefined) this.#arrived(channel, element);
            else this.#arrivedAgain(channel, element, this.#passed[channel] as PassedMarks);
          },
          error: (error: unknown) => {
            this.#failure ??= error as Error;
            this.#listener?.();
          },
        }),
      );
      view.request(creditsPerChannel);
    }
  }

  emitNext(): boolean {
    if (this.#phase !== 'open') return false;
    if (this.#failure !== undefined) {
      this.#phase = 'failed';
      this.#elements.error(this.#failure);
      return true;
    }
    if (this.#replay !== undefined) {
      const served = this.#serveReplay(this.#replay);
      if (served !== undefined) return served;
    }
    for (let channel = this.#ready.take(); channel !== undefined; channel = this.#ready.take()) {
      const queue = this.#queues[channel] as StreamElement[];
      const element = queue.shift() as StreamElement;
      if (element.kind === 'end') {
        this.#openCount--;
        continue;
      }
      if (queue.length > 0) this.#ready.add(channel);
      this.#views[channel]?.request(1);
      if (element.kind === 'records') this.#order?.note(channel, element.records.length);
      else this.#order?.noteMark(channel);
      this.#emit(channel, element);
      return true;
    }
    if (this.#openCount > 0) return false;
    this.#phase = 'ended';
    this.#elements.next(endOfPartition);
    return true;
  }

  onAvailable(listener: () => void): void {
    this.#listener = listener;
  }

  dismiss(): void {
    this.#phase = 'closed';
    for (const view of this.#views) view.dismiss();
  }

  placeOf(record: number): string | undefined {
    const arrival = this.#arrivals.findLast(({ first }) => first <= record);
    if (arrival === undefined) return undefined;
    const { channel, first, sequence } = arrival;
    return `${this.#nameOf(channel)}, record ${sequence + record - first}`;
  }

  snapshot(): StateSnapshot<GateState> {
    // At the end of a replay the end of the order is the position, because its last run may grow.
    const replay = this.#replay?.channel === undefined ? undefined : this.#replay;
    const order: OrderPosition | undefined = (replay ?? this.#order)?.position;
    return { kind: 'taken', state: { kind: 'gate', channels: [...this.#emittedOf], order } };
  }

  close(done: () => void): void {
    this.#phase = 'closed';
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#subscriptions.length = 0;
    done();
  }

  /** IG4. Returns undefined at the end of the recorded order: from then on any channel may be next. */
  #serveReplay(replay: OrderReplay): boolean | undefined {
    const { channel, left } = replay;
    const queue = channel === undefined ? undefined : (this.#queues[channel] as StreamElement[]);
    const element = queue?.[0];
    if (queue !== undefined && element === undefined) return false;
    // If another kind of element comes, the channel has changed; the comparison will detect the different output.
    const isAsBefore = element !== undefined && element.kind !== 'end' && (element.kind === 'records') === left > 0;
    if (channel === undefined || queue === undefined || !isAsBefore) {
      this.#replay = undefined;
      for (const [index, waiting] of this.#queues.entries()) if (waiting.length > 0) this.#ready.add(index);
      return undefined;
    }
    if (element.kind === 'records' && element.records.length > left) {
      const { records } = element;
      queue[0] = elementOf(records.slice(left));
      replay.take(left);
      this.#emit(channel, elementOf(records.slice(0, left)));
      return true;
    }
    queue.shift();
    this.#views[channel]?.request(1);
    replay.take(recordCountOf(element));
    this.#emit(channel, element);
    return true;
  }

  #emit(channel: number, element: WrittenElement): void {
    if (element.kind === 'records') this.#noteArrival(channel, element.records.length);
    this.#elements.next(element);
  }

  #noteArrival(channel: number, count: number): void {
    const sequence = this.#emittedOf[channel] as number;
    this.#arrivals.push({ first: this.#emitted, channel, sequence });
    if (this.#arrivals.length >= 2 * mostArrivals) this.#arrivals.splice(0, mostArrivals);
    this.#emitted += count;
    this.#emittedOf[channel] = sequence + count;
  }

  /** IG5. */
  #arrivedAgain(channel: number, element: StreamElement, passed: PassedMarks): void {
    const elements = passed.take(element);
    for (const next of elements) this.#arrived(channel, next);
    // A mark that is held back does not count here, and a skipped mark is done: request another element.
    if (elements.length === 0) this.#views[channel]?.request(1);
  }

  #arrived(channel: number, element: StreamElement): void {
    const queue = this.#queues[channel] as StreamElement[];
    queue.push(element);
    if (queue.length > 1) return;
    if (this.#replay !== undefined) {
      this.#listener?.();
      return;
    }
    this.#ready.add(channel);
    if (this.#ready.size === 1) this.#listener?.();
  }
}

/** A queue of channel numbers in constant time: one list is filled while the other is emptied. */
class ReadyList {
  #taking: number[] = [];
  #adding: number[] = [];

  get size(): number {
    return this.#taking.length + this.#adding.length;
  }

  add(channel: number): void {
    this.#adding.push(channel);
  }

  take(): number | undefined {
    if (this.#taking.length === 0) {
      [this.#taking, this.#adding] = [this.#adding.reverse(), this.#taking];
    }
    return this.#taking.pop();
  }
}
