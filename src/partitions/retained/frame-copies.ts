import type { ByteBudget, YieldingBytes } from '../byte-budget.ts';
import type { LogEntry } from './retained-log.ts';

/** The size of a copy without its bytes. */
const overheadBytes = 64;

/**
 * The frames of one result that are in its file, or on their way, and that stay in memory too, so that its consumers need
 * not read what was just written. They take memory that nobody else needs, and yield it. As bytes they take a fraction of
 * the memory of their records, and the garbage collector has nothing to do with them.
 *
 * Invariants:
 * - CO1 It has borrowed exactly the bytes of its copies.
 * - CO2 The last copy goes first: a consumer that begins finds the beginning in memory.
 */
export class FrameCopies implements YieldingBytes {
  readonly #budget: ByteBudget;
  /** In the order of writing. */
  #entries: LogEntry[] = [];
  #isClosed = false;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Keeps the frame of an entry, which is being written, if there is room. */
  add(entry: LogEntry, frame: Uint8Array): void {
    if (this.#isClosed || !this.#budget.lend(sizeOf(frame), this)) return;
    entry.copy = frame;
    this.#entries.push(entry);
  }

  /** CO2. */
  yield(bytes: number): void {
    let left = bytes;
    while (left > 0) {
      const entry = this.#entries.pop();
      if (entry === undefined) return;
      left -= this.#drop(entry);
    }
  }

  /** Drops all copies. */
  clear(): void {
    for (const entry of this.#entries) this.#drop(entry);
    this.#entries = [];
    this.#budget.forget(this);
  }

  /** Drops all copies, and makes no more. */
  close(): void {
    this.#isClosed = true;
    this.clear();
  }

  #drop(entry: LogEntry): number {
    const bytes = sizeOf(entry.copy as Uint8Array);
    entry.copy = undefined;
    this.#budget.giveBack(bytes);
    return bytes;
  }
}

function sizeOf(frame: Uint8Array): number {
  return overheadBytes + frame.length;
}
