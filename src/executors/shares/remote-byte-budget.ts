import { ByteBudget, type YieldingBytes } from '../../partitions/byte-budget.ts';
import type { BytesReply, BytesRequest } from './service-messages.ts';

export interface RemoteByteBudgetOptions {
  /** Its name, by which the run knows the whole. */
  readonly name: string;
  /** What the whole has. */
  readonly limitBytes: number;
  readonly post: (message: BytesRequest) => void;
  readonly parent: ByteBudget | undefined;
  /** For messages. */
  readonly owner?: string;
}

/** So many shares make a budget: what an executor asks for beyond its need, and keeps. */
const sharesPerBudget = 16;

/**
 * An executor's share of a budget of the run. It asks for more when little is left, and gives back what it does not use.
 *
 * Invariants:
 * - BU1 The shares of all executors are never more than the budget. Reserved beyond a share are at most, as in one budget,
 *   the bytes for which nobody asked first.
 * - BU2 It asks for one thing at a time, and knows until it is answered that it may grow.
 * - BU3 What others need it gives back as soon as it does not use it; lent bytes yield.
 */
export class RemoteByteBudget extends ByteBudget {
  readonly #options: RemoteByteBudgetOptions;
  /** What it asks for, and keeps for the next need. */
  readonly #reserveBytes: number;
  #asked: 'nothing' | 'open' | 'denied' = 'nothing';
  /** Whether the run had none to spare when it was last asked for some. */
  #isDry = false;
  /** What others had when it was last denied more. */
  #othersBytes = 0;
  /** Bytes that others need. */
  #owedBytes = 0;

  constructor(options: RemoteByteBudgetOptions) {
    super(0, options.parent, options.owner);
    this.#options = options;
    this.#reserveBytes = Math.floor(options.limitBytes / sharesPerBudget);
  }

  override get limitBytes(): number {
    return this.#options.limitBytes;
  }

  override get usedBytes(): number {
    return this.#othersBytes + this.reservedBytes;
  }

  override get isGrowing(): boolean {
    return this.#asked === 'open' || super.isGrowing;
  }

  override tooSmallFor(bytes: number): ByteBudget | undefined {
    const small = super.tooSmallFor(bytes);
    if (small === this) this.#ask(this.reservedBytes + bytes);
    return small;
  }

  override reserve(bytes: number): void {
    super.reserve(bytes);
    const freeBytes = this.totalBytes - this.reservedBytes;
    if (freeBytes < 0) this.#ask(this.reservedBytes);
    else if (freeBytes * 2 < this.#reserveBytes && !this.#isDry) this.#ask(0);
  }

  /** What is lent needs no room, but wants some. */
  override lend(bytes: number, borrower: YieldingBytes): boolean {
    const isLent = super.lend(bytes, borrower);
    if (!isLent && !this.#isDry) this.#ask(0);
    return isLent;
  }

  override release(bytes: number): void {
    super.release(bytes);
    this.#giveBack(undefined);
  }

  override giveBack(bytes: number): void {
    super.giveBack(bytes);
    this.#giveBack(undefined);
  }

  /** Takes a message of the run. */
  receive(reply: BytesReply): void {
    switch (reply.type) {
      case 'granted':
        if (reply.isAnswer) {
          this.#asked = 'nothing';
          this.#isDry = reply.bytes === 0;
        }
        this.resize(this.totalBytes + reply.bytes);
        if (this.reservedBytes > this.totalBytes) this.#ask(this.reservedBytes);
        return;
      case 'denied':
        this.#asked = 'denied';
        this.#othersBytes = reply.othersBytes;
        return this.tellWaiting();
      case 'recall':
        this.#owedBytes = reply.bytes;
        this.#isDry = reply.bytes > 0;
        if (reply.bytes > 0) this.#giveBack(reply.recall);
    }
  }

  /** BU2. @param needed the share that it needs; 0 if it only wants more than it has */
  #ask(needed: number): void {
    if (this.#asked !== 'nothing') return;
    this.#asked = 'open';
    const { name: budget, post } = this.#options;
    post({ service: 'bytes', type: 'ask', budget, needed, wanted: this.#reserveBytes });
  }

  /** BU3. */
  #giveBack(recall: number | undefined): void {
    const unusedBytes = this.totalBytes - this.reservedBytes;
    const spareBytes = unusedBytes - this.lentBytes - this.#reserveBytes;
    const owed = Math.max(0, Math.min(this.#owedBytes, unusedBytes));
    // By halves, because what it gives back it may need again.
    const bytes = owed > 0 ? owed : spareBytes > this.#reserveBytes ? spareBytes : 0;
    if (bytes === 0 && recall === undefined) return;
    this.#owedBytes -= owed;
    const { name: budget, post } = this.#options;
    post({ service: 'bytes', type: 'return', budget, bytes, recall });
    if (bytes > 0) this.resize(this.totalBytes - bytes);
  }
}
