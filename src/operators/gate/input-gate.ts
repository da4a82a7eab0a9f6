import type { Observable, Subscription } from 'rxjs';
import { Subject } from '../../rxjs/rxjs-classes.ts';
import { type ChannelOrder, type OrderPosition, OrderReplay } from '../../partitions/channel-order.ts';
import type { SubpartitionView } from '../../partitions/result-partition.ts';
import {
  type Barrier,
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
import { Arrivals } from './arrivals.ts';
import { BarrierAligner, type AlignedBarrier } from './barrier-aligner.ts';
import { ReadyList } from './ready-list.ts';
import { PassedMarks } from './passed-marks.ts';

/** The position at which a restored gate continues. */
export interface RestoredGate {
  readonly state: GateState;
  /** The checkpoint to which the state belongs. */
  readonly checkpoint: CheckpointId;
}

export interface InputGateOptions {
  /** The recorded order, which it follows to the end and then extends. Default: any order. */
  readonly order?: ChannelOrder | undefined;
  /** Names the subpartition that a channel reads: `map-1[0] → sums, subpartition 2`. */
  readonly nameOf?: ((channel: number) => string) | undefined;
  /** The position at which it continues; the views begin at its records. */
  readonly restored?: RestoredGate | undefined;
  /** Whether a channel brings barriers. One with a complete result does not. Default: all do. */
  readonly bringsBarriers?: ((channel: number) => boolean) | undefined;
  /** The newest checkpoint before this attempt, whose barriers and older ones are of no concern. Default: none. */
  readonly checkpointBefore?: CheckpointId | undefined;
  /** Measures alignment. Default: it takes no time. */
  readonly clock?: { now(): number } | undefined;
  /** Called for a checkpoint in which the task cannot take part now. */
  readonly declined?: ((checkpoint: CheckpointId, why: string) => void) | undefined;
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
 *   it takes turns, and records them. Barriers are not part of the order: while it follows the order it cannot align
 *   any, and declines their checkpoints.
 * - IG5 A restored gate skips the marks of a channel up to the barrier of its checkpoint ({@link PassedMarks}), and
 *   continues in the recorded order.
 * - IG6 It emits a barrier once all channels have delivered it ({@link BarrierAligner}). A blocked channel keeps what it
 *   has; the others go on.
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

  readonly #arrivals = new Arrivals();
  /** By channel: number of records taken. */
  readonly #emittedOf: number[];
  /** By channel, if it was restored. */
  readonly #passed: readonly PassedMarks[] | undefined;
  readonly #nameOf: (channel: number) => string;
  readonly #barriers: BarrierAligner;
  /** Number of barriers among the elements that it holds. */
  #barriersHeld = 0;
  /** The barrier that is being emitted, and how long it took to align. */
  #aligned: AlignedBarrier | undefined;
  readonly #declined: NonNullable<InputGateOptions['declined']>;

  constructor(views: readonly SubpartitionView[], options: InputGateOptions = {}) {
    const { order, restored, nameOf = (channel) => `channel ${channel}`, declined = () => {} } = options;
    this.#barriers = new BarrierAligner({
      channelCount: views.length,
      bringsBarriers: options.bringsBarriers,
      after: options.checkpointBefore,
      passedOver: (checkpoint) => declined(checkpoint, 'the barrier of a newer one came first'),
      clock: options.clock,
    });
    this.#declined = declined;
    this.elements$ = this.#elements.asObservable();
    this.#views = views;
    this.#queues = views.map(() => []);
    this.#emittedOf = views.map((_, channel) => restored?.state.channels[channel] ?? 0);
    const refuse = (barrier: Barrier): void => this.#refuse(barrier, 'its producer still reproduces what it has read');
    this.#passed = restored && views.map(() => new PassedMarks(restored.checkpoint, refuse));
    this.#nameOf = nameOf;
    this.#openCount = views.length;
    this.#order = order;
    const from = order?.placeOf(restored?.state.order, restored?.checkpoint);
    const isOrdered = order !== undefined && order.kept > 0 && from !== undefined && order.hasFrom(from);
    this.#replay = isOrdered ? new OrderReplay(order, from) : undefined;
    if (order?.length === 0) order.begin(restored?.state.order, restored?.checkpoint);
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
    if (this.#phase !== 'open') return this.emitBarrier();
    if (this.#failure !== undefined) {
      this.#phase = 'failed';
      this.#elements.error(this.#failure);
      return true;
    }
    if (this.#barriers.hasAligned && !this.#elementGoesFirst()) return this.#emitAligned();
    if (this.#replay !== undefined) {
      const served = this.#serveReplay(this.#replay);
      if (served !== undefined) return served;
    }
    for (let channel = this.#ready.take(); channel !== undefined; channel = this.#ready.take()) {
      const queue = this.#queues[channel] as StreamElement[];
      const element = queue.shift() as StreamElement;
      if (element.kind === 'end') {
        this.#openCount--;
        this.#barriers.ended(channel);
        this.#goOn();
        if (this.#barriers.hasAligned && !this.#elementGoesFirst()) return this.#emitAligned();
        continue;
      }
      if (element.kind === 'barrier') {
        this.#takeBarrier(channel, element);
        if (this.#barriers.hasAligned) return this.#emitAligned();
        continue;
      }
      if (queue.length > 0) this.#ready.add(channel);
      this.#views[channel]?.request(1);
      if (element.kind === 'records') this.#order?.note(channel, element.records.length);
      else this.#order?.noteMark(channel);
      this.#emit(channel, element);
      return true;
    }
    if (this.#openCount > 0) return this.#barriers.hasAligned && this.#emitAligned();
    this.#phase = 'ended';
    this.#elements.next(endOfPartition);
    return true;
  }

  emitBarrier(): boolean {
    if (this.#phase !== 'open' && this.#phase !== 'ended') return false;
    if (this.#barriersHeld > 0 && !this.#barriers.hasAligned && this.#replay === undefined) this.#takeHeldBarriers();
    return this.#barriers.hasAligned && this.#emitAligned();
  }

  trigger(barrier: Barrier): void {
    this.#barriers.trigger(barrier);
    if (this.#replay !== undefined && !this.#barriers.hasAligned) this.#refuse(barrier);
    this.#goOn();
    this.#listener?.();
  }

  abandon(checkpoint: CheckpointId): void {
    this.#barriers.abandon(checkpoint);
    this.#goOn();
    this.#listener?.();
  }

  get alignmentMs(): number {
    return this.#aligned?.alignmentMs ?? 0;
  }

  onAvailable(listener: () => void): void {
    this.#listener = listener;
  }

  dismiss(): void {
    this.#phase = 'closed';
    for (const view of this.#views) view.dismiss();
  }

  placeOf(record: number): string | undefined {
    const origin = this.#arrivals.originOf(record);
    return origin && `${this.#nameOf(origin.channel)}, record ${origin.sequence}`;
  }

  snapshot(): StateSnapshot<GateState> {
    // At the end of a replay the end of the order is the position, because its last run may grow.
    const replay = this.#replay?.channel === undefined ? undefined : this.#replay;
    const order: OrderPosition | undefined = (replay ?? this.#order)?.position;
    const { barrier, positions } = this.#aligned ?? {};
    const channels = this.#emittedOf.map((emitted, channel) => positions?.[channel] ?? emitted);
    // Unless it is exact, the state holds records from beyond the positions of the channels.
    const isExact = barrier?.alignment !== 'at-least-once';
    return { kind: 'taken', state: { kind: 'gate', channels, order: isExact ? order : undefined } };
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
    if (channel !== undefined) this.#dropBarriers(channel);
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

  /** IG6. A barrier was next on a channel, and was taken from it. */
  #takeBarrier(channel: number, barrier: Barrier): void {
    this.#barriersHeld--;
    this.#barriers.arrived(channel, barrier, this.#emittedOf[channel] as number);
    this.#goOn(this.#barriers.isBlocked(channel) ? undefined : channel);
    this.#views[channel]?.request(1);
  }

  /** Takes the barriers that are next on their channels, but no records. */
  #takeHeldBarriers(): void {
    for (const [channel, queue] of this.#queues.entries()) {
      const [first] = queue;
      if (first?.kind !== 'barrier' || this.#barriers.isBlocked(channel)) continue;
      queue.shift();
      this.#ready.remove(channel);
      this.#takeBarrier(channel, first);
    }
  }

  /** IG4. The next elements of a channel may be barriers, which come now or came before. */
  #dropBarriers(channel: number): void {
    const queue = this.#queues[channel] as StreamElement[];
    for (let [first] = queue; first?.kind === 'barrier'; [first] = queue) {
      queue.shift();
      this.#barriersHeld--;
      this.#refuse(first);
      this.#views[channel]?.request(1);
    }
  }

  #refuse(barrier: Barrier, why = 'it still takes its input in the order of its last attempt'): void {
    if (this.#barriers.isSettled(barrier)) return;
    this.#barriers.abandon(barrier.checkpoint);
    this.#declined(barrier.checkpoint, why);
  }

  /** BA5. */
  #elementGoesFirst(): boolean {
    if (!this.#barriers.givesWay || this.#replay !== undefined) return false;
    return this.#openCount === 0 || this.#ready.size > 0;
  }

  #emitAligned(): boolean {
    const aligned = this.#barriers.takeAligned() as AlignedBarrier;
    this.#aligned = aligned;
    this.#order?.noteBarrier(aligned.barrier.checkpoint);
    this.#elements.next(aligned.barrier);
    this.#aligned = undefined;
    return true;
  }

  /** Channels that were blocked go on, and `channel`. */
  #goOn(channel?: number): void {
    const released = new Set(this.#barriers.takeReleased());
    if (channel !== undefined) released.add(channel);
    for (const next of released) if ((this.#queues[next] as StreamElement[]).length > 0) this.#ready.add(next);
  }

  #emit(channel: number, element: WrittenElement): void {
    this.#barriers.noteElement();
    if (element.kind === 'records') this.#noteArrival(channel, element.records.length);
    this.#elements.next(element);
  }

  #noteArrival(channel: number, count: number): void {
    const sequence = this.#emittedOf[channel] as number;
    this.#arrivals.note(channel, sequence, count);
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
    if (element.kind === 'barrier') {
      this.#barriersHeld++;
      // Even if other channels have elements: the task may take barriers alone.
      this.#listener?.();
    }
    if (queue.length > 1 || this.#barriers.isBlocked(channel)) return;
    if (this.#replay !== undefined) {
      this.#listener?.();
      return;
    }
    this.#ready.add(channel);
    if (this.#ready.size === 1) this.#listener?.();
  }
}
