import type { Clock } from '../environment.ts';
import { KintsugiError } from '../errors/kintsugi-error.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Virtual time cannot advance: no work is left, or one instant never ends. */
export class VirtualTimeError extends KintsugiError {
  readonly code = 'VIRTUAL_TIME';
  override readonly recovery = 'never';
}

/** The wall-clock time at virtual time 0: the start of the year 2000. */
const epochStartMs = 946_684_800_000;

/** Maximum callbacks at one instant before the clock reports a livelock. */
const livelockLimit = 2_000_000;

/** A scheduled callback. `callback` is undefined once it was canceled or has run. */
interface Entry {
  callback: (() => void) | undefined;
  readonly dueMs: number;
  /** Order of insertion among timers. */
  readonly sequence: number;
  /** Whether it is in the timer heap. */
  isArmed: boolean;
}

/**
 * A clock that moves only when driven. Work runs in turns: first the due timers (by due time, then in the order they
 * were set), then the immediates; work they schedule waits for the next turn, as in Node. When no work is ready, time
 * advances to the next timer. With `order`, callbacks ready at the same instant run in a drawn order.
 *
 * Timers cost O(log n); canceled ones are removed lazily, so canceling is O(1) amortized.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  #sequence = 0;
  #timers: Entry[] = [];
  #armedTimers = 0;
  #immediates: Entry[] = [];
  #turn: Entry[] = [];
  #turnAt = 0;
  #ranAtInstant = 0;
  #ran = 0;
  readonly #order: SeededRandom | undefined;

  constructor(options: { readonly startMs?: number; readonly order?: SeededRandom | undefined } = {}) {
    this.#nowMs = options.startMs ?? 0;
    this.#order = options.order;
  }

  now(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return epochStartMs + this.#nowMs;
  }

  /** A negative or NaN delay counts as 0; an `Infinity` delay never fires. */
  setTimeout(callback: () => void, delayMs: number): unknown {
    const dueMs = this.#nowMs + (delayMs > 0 ? delayMs : 0);
    const isArmed = dueMs < Number.POSITIVE_INFINITY;
    const entry: Entry = { callback, dueMs, sequence: this.#sequence++, isArmed };
    if (isArmed) {
      this.#armedTimers++;
      push(this.#timers, entry);
    }
    return entry;
  }

  clearTimeout(handle: unknown): void {
    const entry = handle as Entry | undefined;
    if (entry?.callback === undefined) return;
    entry.callback = undefined;
    if (!entry.isArmed) return;
    this.#armedTimers--;
    if (this.#timers.length > 64 && this.#timers.length > 2 * this.#armedTimers) this.#compact();
  }

  setImmediate(callback: () => void): unknown {
    const entry: Entry = { callback, dueMs: this.#nowMs, sequence: this.#sequence++, isArmed: false };
    this.#immediates.push(entry);
    return entry;
  }

  /** Number of armed timers. */
  get timerCount(): number {
    return this.#armedTimers;
  }

  /** Number of callbacks that have run. */
  get ranCount(): number {
    return this.#ran;
  }

  /** When the next timer is due; undefined without one. */
  get nextDueMs(): number | undefined {
    return this.#peek()?.dueMs;
  }

  /** Whether work is ready at the current instant. */
  get isReady(): boolean {
    if (this.#turnAt < this.#turn.length || this.#immediates.length > 0) return true;
    const next = this.#peek();
    return next !== undefined && next.dueMs <= this.#nowMs;
  }

  /** Whether the current turn is complete, so that ready work belongs to the next one. */
  get isBetweenTurns(): boolean {
    return this.#turnAt >= this.#turn.length;
  }

  /** Runs the next ready callback and rethrows its error. False if there is none. */
  step(): boolean {
    for (;;) {
      if (this.#turnAt >= this.#turn.length && !this.#beginTurn()) return false;
      const entry = this.#turn[this.#turnAt++] as Entry;
      const { callback } = entry;
      if (callback === undefined) continue;
      entry.callback = undefined;
      if (++this.#ranAtInstant > livelockLimit) {
        throw new VirtualTimeError(
          `Virtual time is stuck at ${this.#nowMs} ms: ${livelockLimit} callbacks ran at that instant and more are ready. Some callback reschedules itself without a delay`,
        );
      }
      this.#ran++;
      callback();
      return true;
    }
  }

  /** Advances to the next timer that is due by `limitMs`. False if there is none, or while work is ready. */
  skip(limitMs = Number.POSITIVE_INFINITY): boolean {
    if (this.isReady) return false;
    const next = this.#peek();
    if (next === undefined || next.dueMs > limitMs) return false;
    this.#moveTo(next.dueMs);
    return true;
  }

  /** Advances time by `ms` and runs all work that becomes due. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    do while (this.step());
    while (this.skip(untilMs));
    this.#moveTo(untilMs);
  }

  #moveTo(ms: number): void {
    if (ms <= this.#nowMs) return;
    this.#nowMs = ms;
    this.#ranAtInstant = 0;
  }

  #beginTurn(): boolean {
    const turn = this.#turn;
    turn.length = 0;
    this.#turnAt = 0;
    for (let next = this.#peek(); next !== undefined && next.dueMs <= this.#nowMs; next = this.#peek()) {
      pop(this.#timers);
      next.isArmed = false;
      this.#armedTimers--;
      turn.push(next);
    }
    if (turn.length === 0) {
      this.#turn = this.#immediates;
      this.#immediates = turn;
    } else {
      for (const entry of this.#immediates) turn.push(entry);
      this.#immediates.length = 0;
    }
    this.#order?.shuffle(this.#turn);
    return this.#turn.length > 0;
  }

  /** The first timer that was not canceled. */
  #peek(): Entry | undefined {
    const timers = this.#timers;
    while (timers.length > 0 && (timers[0] as Entry).callback === undefined) pop(timers);
    return timers[0];
  }

  #compact(): void {
    const timers = this.#timers.filter((entry) => entry.callback !== undefined);
    // A sorted array is a heap.
    this.#timers = timers.sort((a, b) => a.dueMs - b.dueMs || a.sequence - b.sequence);
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex] as Entry;
    if (!isBefore(entry, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop() as Entry;
  const { length } = heap;
  if (length === 0) return;
  let index = 0;
  for (;;) {
    let childIndex = 2 * index + 1;
    if (childIndex >= length) break;
    const right = childIndex + 1;
    if (right < length && isBefore(heap[right] as Entry, heap[childIndex] as Entry)) childIndex = right;
    const child = heap[childIndex] as Entry;
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}
