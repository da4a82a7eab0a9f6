import type { ExecutorId } from '../../../ids.ts';
import type { BytesReply, BytesRequest } from '../service-messages.ts';
import type { PostTo } from './call-desk.ts';

/** An executor that has a share. */
interface Holder {
  heldBytes: number;
  /** Number of the recall that it was told of, and whether it has answered. */
  recall: number | undefined;
  hasAnswered: boolean;
}

/** An executor that needs bytes. */
interface Asker {
  readonly executor: ExecutorId;
  /** The share that it needs. */
  readonly needed: number;
  readonly wanted: number;
  isDenied: boolean;
}

/** What an executor gets at the start. */
const firstShare = 1 / 16;

/**
 * One budget of the run, divided among its executors.
 *
 * Invariants:
 * - BS1 The shares are never more than the budget.
 * - BS2 First come, first served. While an executor needs bytes, the others give back what they do not use.
 * - BS3 A request is denied when all of them have answered and it is not enough; it is granted once there is enough.
 * - BS4 A lost executor gives back its share.
 */
export class ByteShares {
  readonly #budget: string;
  readonly #post: PostTo<BytesReply>;
  readonly #holders = new Map<ExecutorId, Holder>();
  readonly #askers: Asker[] = [];
  #freeBytes: number;
  /** Number of the next recall. */
  #recalls = 0;
  readonly #totalBytes: number;

  constructor(budget: string, totalBytes: number, post: PostTo<BytesReply>) {
    this.#budget = budget;
    this.#totalBytes = totalBytes;
    this.#freeBytes = totalBytes;
    this.#post = post;
  }

  accept(executor: ExecutorId): void {
    this.#holders.set(executor, { heldBytes: 0, recall: undefined, hasAnswered: false });
    const bytes = Math.floor(Math.min(this.#totalBytes * firstShare, this.#freeBytes / 2));
    if (bytes > 0 && this.#askers.length === 0) this.#grant(executor, bytes, false);
  }

  receive(executor: ExecutorId, message: BytesRequest): void {
    const holder = this.#holders.get(executor);
    if (holder === undefined) return;
    if (message.type === 'return') {
      const bytes = Math.min(message.bytes, holder.heldBytes);
      holder.heldBytes -= bytes;
      this.#freeBytes += bytes;
      if (message.recall === holder.recall) holder.hasAnswered = true;
    } else if (message.needed <= holder.heldBytes) {
      // Only wanted: what nobody needs.
      const free = this.#askers.length > 0 ? 0 : Math.floor(this.#freeBytes / 2);
      this.#grant(executor, Math.min(message.wanted, free), true);
    } else this.#askers.push({ executor, needed: message.needed, wanted: message.wanted, isDenied: false });
    this.#serve();
  }

  /** BS4. */
  lost(executor: ExecutorId): void {
    this.#freeBytes += this.#holders.get(executor)?.heldBytes ?? 0;
    this.#holders.delete(executor);
    const at = this.#askers.findIndex((asker) => asker.executor === executor);
    if (at >= 0) this.#askers.splice(at, 1);
    this.#serve();
  }

  /** BS2. */
  #serve(): void {
    for (let asker = this.#askers[0]; asker !== undefined; asker = this.#askers[0]) {
      const { executor, wanted } = asker;
      const needed = Math.max(0, asker.needed - (this.#holders.get(executor) as Holder).heldBytes);
      if (needed > this.#freeBytes) return this.#recall(asker, needed - this.#freeBytes);
      this.#askers.shift();
      this.#grant(executor, Math.max(needed, Math.min(wanted, Math.floor(this.#freeBytes / 2))), true);
      this.#endRecall();
    }
  }

  #recall(asker: Asker, bytes: number): void {
    let isAnswered = true;
    for (const [executor, holder] of this.#holders) {
      if (executor === asker.executor) continue;
      if (holder.recall === undefined) {
        const recall = this.#recalls++;
        Object.assign(holder, { recall, hasAnswered: false });
        this.#post(executor, { service: 'bytes', type: 'recall', budget: this.#budget, bytes, recall });
      }
      isAnswered &&= holder.hasAnswered;
    }
    // BS3.
    if (!isAnswered || asker.isDenied) return;
    asker.isDenied = true;
    const { executor } = asker;
    let othersBytes = 0;
    for (const [other, { heldBytes }] of this.#holders) if (other !== executor) othersBytes += heldBytes;
    this.#post(executor, { service: 'bytes', type: 'denied', budget: this.#budget, othersBytes });
  }

  /** The need is over, or another one follows. */
  #endRecall(): void {
    for (const [executor, holder] of this.#holders) {
      if (holder.recall === undefined) continue;
      holder.recall = undefined;
      this.#post(executor, {
        service: 'bytes',
        type: 'recall',
        budget: this.#budget,
        bytes: 0,
        recall: this.#recalls++,
      });
    }
  }

  #grant(executor: ExecutorId, bytes: number, isAnswer: boolean): void {
    this.#freeBytes -= bytes;
    (this.#holders.get(executor) as Holder).heldBytes += bytes;
    this.#post(executor, { service: 'bytes', type: 'granted', budget: this.#budget, bytes, isAnswer });
  }
}
