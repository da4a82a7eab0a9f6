import type { CheckpointId } from '../../ids.ts';
import type { Barrier } from '../../partitions/stream-element.ts';

/** A barrier that every channel has delivered. */
export interface AlignedBarrier {
  readonly barrier: Barrier;
  /** From its first arrival to the last. */
  readonly alignmentMs: number;
  /** By channel: the number of records before the barrier; undefined for a channel that did not bring it. */
  readonly positions: readonly (number | undefined)[];
}

/** A barrier that some channels have delivered. */
interface Pending {
  readonly barrier: Barrier;
  readonly sinceMs: number;
  readonly positions: (number | undefined)[];
  /** Number of channels that have not delivered it. */
  missing: number;
}

export interface BarrierAlignerOptions {
  readonly channelCount: number;
  /** Whether a channel brings barriers. One with a complete result does not. Default: all do. */
  readonly bringsBarriers?: ((channel: number) => boolean) | undefined;
  /** Barriers up to that of this checkpoint are of no concern. Default: none is. */
  readonly after?: CheckpointId | undefined;
  /** Called with a checkpoint whose barrier never is passed on, because of a newer one; perhaps more than once. BA4 */
  readonly passedOver?: ((checkpoint: CheckpointId) => void) | undefined;
  /** Default: alignment takes no time. */
  readonly clock?: { now(): number } | undefined;
}

/**
 * The barriers that the channels of one gate have delivered.
 *
 * - BA1 A barrier is passed on once, when every channel that brings barriers has delivered it or has ended.
 * - BA2 Exactly-once: a channel that has delivered a barrier is blocked until the barrier is passed on or given up.
 *   At-least-once: none is blocked, and the position of each channel is that of the barrier.
 * - BA3 A newer barrier on a channel gives an older one up: its checkpoint was aborted, or the task before passed it over because
 *   it had a newer one. So the channel never brings the older one, whether others have brought it or will. Barriers of settled checkpoints, up
 *   to the one before this attempt, are dropped, wherever they come from.
 * - BA4 It tells which checkpoints it passes over: who finishes without having told would be taken to have finished before the barrier.
 * - BA5 An element that is there goes before a second barrier that begins here, and the barrier of an aborted checkpoint is not
 *   passed on: sinks that take longer to prepare than the next barrier takes to come would never get anything else.
 */
export class BarrierAligner {
  readonly #count: number;
  readonly #brings: boolean[];
  readonly #now: () => number;
  readonly #after: number;
  readonly #passedOver: (checkpoint: CheckpointId) => void;
  #bringingCount = 0;
  /** Oldest first. */
  #pending: Pending[] = [];
  /** The newest checkpoint that was passed on or given up for a newer one. */
  #settled: number;
  readonly #aborted = new Set<number>();
  readonly #blocked = new Set<number>();
  readonly #released: number[] = [];
  #aligned: AlignedBarrier[] = [];
  /** Whether no element was emitted since the last barrier. */
  #isLast = false;

  constructor(options: BarrierAlignerOptions) {
    const { channelCount, bringsBarriers = () => true, after = -1, passedOver = () => {}, clock } = options;
    this.#count = channelCount;
    this.#brings = Array.from({ length: channelCount }, (_, channel) => bringsBarriers(channel));
    for (const brings of this.#brings) if (brings) this.#bringingCount++;
    this.#after = after;
    this.#settled = after;
    this.#passedOver = passedOver;
    this.#now = () => clock?.now() ?? 0;
  }

  isBlocked(channel: number): boolean {
    return this.#blocked.has(channel);
  }

  /** Whether a barrier is of no concern any more. BA3 */
  isSettled({ checkpoint }: Barrier): boolean {
    return checkpoint <= this.#settled || this.#aborted.has(checkpoint);
  }

  /** A channel has delivered a barrier, after `position` records. */
  arrived(channel: number, barrier: Barrier, position: number): void {
    const pending = this.#pendingFor(barrier);
    if (pending === undefined || pending.positions[channel] !== undefined) return;
    pending.positions[channel] = position;
    if (barrier.alignment !== 'at-least-once') this.#blocked.add(channel);
    if (this.#brings[channel] === true) pending.missing--;
    this.#passOn();
  }

  /** A barrier begins here, or comes on some channels. */
  trigger(barrier: Barrier): void {
    if (this.#pendingFor(barrier) !== undefined) this.#passOn();
  }

  /** Nothing follows on a channel. */
  ended(channel: number): void {
    if (this.#brings[channel] !== true) return;
    this.#brings[channel] = false;
    this.#bringingCount--;
    for (const pending of this.#pending) {
      if (pending.positions[channel] === undefined) pending.missing--;
    }
    this.#passOn();
  }

  /** The checkpoint was aborted: its barrier is not passed on any more. */
  abandon(checkpoint: CheckpointId): void {
    this.#aligned = this.#aligned.filter(({ barrier }) => barrier.checkpoint !== checkpoint);
    if (checkpoint > this.#settled) this.#aborted.add(checkpoint);
    this.#giveUp((pending) => pending.barrier.checkpoint === checkpoint);
  }

  /** The next barrier to pass on. */
  takeAligned(): AlignedBarrier | undefined {
    this.#isLast = true;
    return this.#aligned.shift();
  }

  get hasAligned(): boolean {
    return this.#aligned.length > 0;
  }

  /** BA5. Whether an element that is there goes before the next barrier to pass on. */
  get givesWay(): boolean {
    const [next] = this.#aligned;
    return this.#isLast && next !== undefined && next.positions.every((position) => position === undefined);
  }

  /** An element was emitted. */
  noteElement(): void {
    this.#isLast = false;
  }

  /** The channels that may go on since the last call. */
  takeReleased(): number[] {
    return this.#released.splice(0);
  }

  #pendingFor(barrier: Barrier): Pending | undefined {
    const { checkpoint } = barrier;
    if (this.isSettled(barrier)) {
      if (checkpoint > this.#after && checkpoint < this.#settled) this.#passedOver(checkpoint);
      return undefined;
    }
    const known = this.#pending.find((pending) => pending.barrier.checkpoint === checkpoint);
    if (known !== undefined) return known;
    if (barrier.alignment !== 'at-least-once') {
      if (this.#pending.some((newer) => newer.barrier.checkpoint > checkpoint)) {
        this.#settle(checkpoint);
        this.#passedOver(checkpoint);
        return undefined;
      }
      this.#giveUp((older) => older.barrier.checkpoint < checkpoint);
    }
    const positions = Array.from({ length: this.#count }, (): number | undefined => undefined);
    const pending = { barrier, sinceMs: this.#now(), positions, missing: this.#bringingCount };
    this.#pending.push(pending);
    this.#pending.sort((one, other) => one.barrier.checkpoint - other.barrier.checkpoint);
    return pending;
  }

  /** BA1. A newer one that is complete gives the older ones up. */
  #passOn(): void {
    const newest = this.#pending.findLast(({ missing }) => missing === 0);
    if (newest === undefined) return;
    const { barrier, sinceMs, positions } = newest;
    this.#giveUp((pending) => pending.barrier.checkpoint < barrier.checkpoint);
    this.#pending = this.#pending.filter((pending) => pending !== newest);
    this.#release(newest);
    this.#settle(barrier.checkpoint);
    this.#aligned.push({ barrier, alignmentMs: this.#now() - sinceMs, positions });
  }

  #giveUp(isOver: (pending: Pending) => boolean): void {
    const over = this.#pending.filter(isOver);
    if (over.length === 0) return;
    this.#pending = this.#pending.filter((pending) => !isOver(pending));
    for (const pending of over) {
      const { checkpoint } = pending.barrier;
      const isAborted = this.#aborted.has(checkpoint);
      this.#release(pending);
      if (isAborted) continue;
      this.#settle(checkpoint);
      this.#passedOver(checkpoint);
    }
  }

  #release({ barrier, positions }: Pending): void {
    if (barrier.alignment === 'at-least-once') return;
    for (const [channel, position] of positions.entries()) {
      if (position !== undefined && this.#blocked.delete(channel)) this.#released.push(channel);
    }
  }

  #settle(checkpoint: CheckpointId): void {
    this.#settled = Math.max(this.#settled, checkpoint);
    for (const aborted of this.#aborted) if (aborted <= this.#settled) this.#aborted.delete(aborted);
  }
}
