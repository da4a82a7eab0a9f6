import type { Clock } from '../../environment.ts';
import type { BatchCutter } from '../../partitions/records/batch-cutter.ts';
import { TimeSlice } from '../../time-slice.ts';
import type { CallCounts, CallIdentity } from '../answers/answer-memory.ts';
import type { CallOutcome } from '../answers/files/call-outcome.ts';

/** Hears of a call, on a stack of its own. */
export interface CallListener {
  /** It has been answered, so another one may take its place. Its outcome follows; it may come without this. */
  answered(entry: CallEntry, call: CallUnderWay): void;
  /** Its outcome, once. */
  settled(entry: CallEntry, call: CallUnderWay, outcome: CallOutcome): void;
}

/** How a subtask makes the calls of its operator. */
export interface Calls {
  /** Makes the call for a record: its outcome, if it is known at once; else `listener` hears of it. */
  call(entry: CallEntry, listener: CallListener): CallUnderWay | CallOutcome;
  /** Does for a record what can be done before its call may begin. Absent: nothing can. */
  readonly prepare?: (entry: CallEntry) => void;
  /** Whether a call for this record is in flight already, and is shared. Absent: none ever is. */
  isInFlight?(entry: CallEntry): boolean;
  /**
   * Has the outcome for a record looked up where that takes time, and calls `found` later; `recall` knows it then. Absent:
   * `recall` knows. @throws what the user's key function throws
   */
  readonly seek?: ((entry: CallEntry, found: (entry: CallEntry) => void) => void) | undefined;
  /** The remembered outcome for a record; undefined if there is none. @throws what the user's key function throws */
  recall?(entry: CallEntry): CallOutcome | undefined;
  /** All calls for a record have failed. */
  failed?(entry: CallEntry, error: Error): void;
  readonly counts?: CallCounts;
}

/** A call that was made for a record. */
export interface CallUnderWay {
  /** Called when it is settled or abandoned. */
  onSettled: (() => void) | undefined;
  /** Its answer is no longer needed. With a reason, it took too long. */
  abandon(reason?: Error): void;
}

/** A record in `mapAsync`. */
export interface CallEntry {
  readonly record: unknown;
  /** Its number in the input of the stage, from 0; undefined if the stage was restored with it. */
  readonly number: number | undefined;
  retry: number;
  /** Whether an earlier call for it failed. */
  isRepeated: boolean;
  /** Whether it takes one of the calls that may be made at once. */
  isUnderWay: boolean;
  /** What the last call for it failed with. */
  error: Error | undefined;
  isAnswered: boolean;
  /** Whether the function of `onError` answers for it, and has not yet. */
  isReplaced: boolean;
  result: unknown;
  /** The cost of a call for it; undefined until a call is requested. */
  costs: readonly number[] | undefined;
  call: CallUnderWay | undefined;
  /** What its answer is remembered by; undefined until that is known, or if no answer is remembered. */
  identity: CallIdentity | undefined;
  /** Stops waiting for a grant or for the retry delay. */
  stopWaiting: (() => void) | undefined;
  /** Releases the place of its key, or withdraws the request for one. */
  leavePlace: (() => void) | undefined;
}

/**
 * The records of a stage that have a call, or wait for one without waiting for another record. Calls that take their time
 * before they return, or are answered without a turn of the event loop, would keep the thread for as long as there are
 * records: when the time of a turn is over, there is no room for another one until the next turn.
 */
export class UnderWay {
  readonly #most: number;
  readonly #slice: TimeSlice;
  readonly #wake: () => void;
  #count = 0;
  #turn: 'new' | 'begun' | 'over' = 'new';

  /** @param wake asks for the next turn */
  constructor(most: number, clock: Pick<Clock, 'now'>, wake: () => void) {
    this.#most = most;
    this.#slice = new TimeSlice(clock);
    this.#wake = wake;
  }

  get hasRoom(): boolean {
    return this.#count < this.#most && this.#turn !== 'over';
  }

  /** A turn begins. Returns whether the time of the one before was over. */
  renewTurn(): boolean {
    const wasOver = this.#turn === 'over';
    this.#turn = 'new';
    return wasOver;
  }

  /** A record takes a call. Idempotent. */
  begin(entry: CallEntry): void {
    this.add(entry);
    if (this.#turn === 'new') {
      this.#turn = 'begun';
      this.#slice.begin();
    } else if (this.#turn === 'begun' && this.#slice.isOver()) {
      this.#turn = 'over';
      this.#wake();
    }
  }

  /** Idempotent. */
  add(entry: CallEntry): void {
    if (entry.isUnderWay) return;
    entry.isUnderWay = true;
    this.#count++;
  }

  /** Idempotent. */
  delete(entry: CallEntry): void {
    if (!entry.isUnderWay) return;
    entry.isUnderWay = false;
    this.#count--;
  }
}

/** Withdraws what an entry waits for, and releases its place. */
export function withdraw(entry: CallEntry): void {
  entry.stopWaiting?.();
  entry.stopWaiting = undefined;
  entry.leavePlace?.();
  entry.leavePlace = undefined;
}

/** Waits before the next call for it. */
export function waitThen(entry: CallEntry, clock: Clock, delayMs: number, next: () => void): void {
  const timer = clock.setTimeout(() => {
    entry.stopWaiting = undefined;
    next();
  }, delayMs);
  entry.stopWaiting = () => clock.clearTimeout(timer);
}

/** A record whose calls have failed, or that could not be called for. */
export function failedRecord({ record, number, retry, isRepeated }: CallEntry, operator: number, error: unknown) {
  return { operator, error, record, number, calls: isRepeated ? retry + 1 : 0, mayWait: true };
}

/** A record for which no call was made. */
export function newEntry(record: unknown, number: number | undefined): CallEntry {
  return {
    record,
    number,
    retry: 0,
    isRepeated: false,
    isUnderWay: false,
    error: undefined,
    isAnswered: false,
    isReplaced: false,
    result: undefined,
    costs: undefined,
    call: undefined,
    identity: undefined,
    stopWaiting: undefined,
    leavePlace: undefined,
  };
}

/** The records of a stage from when they are begun until their results are polled. */
export class BegunEntries {
  /** Begun but not answered. */
  readonly open = new Set<CallEntry>();
  readonly #isOrdered: boolean;
  /** Ordered: all entries begun but not polled, in order. Unordered: the answered entries. */
  #entries: CallEntry[] = [];

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered;
  }

  get count(): number {
    return this.#isOrdered ? this.#entries.length : this.#entries.length + this.open.size;
  }

  /** All of them, as they are restored. */
  get held(): readonly CallEntry[] {
    return this.#isOrdered ? this.#entries : [...this.#entries, ...this.open];
  }

  begin(entry: CallEntry): void {
    this.open.add(entry);
    if (this.#isOrdered) this.#entries.push(entry);
  }

  /** @param isLeftOut whether it has no result */
  answer(entry: CallEntry, isLeftOut: boolean): void {
    this.open.delete(entry);
    if (isLeftOut && this.#isOrdered) this.#entries.splice(this.#entries.indexOf(entry), 1);
    else if (!isLeftOut && !this.#isOrdered) this.#entries.push(entry);
  }

  /** Returns those whose calls must be made again. */
  restore(held: CallEntry[]): CallEntry[] {
    const unanswered = held.filter(({ isAnswered }) => !isAnswered);
    for (const entry of unanswered) this.open.add(entry);
    this.#entries = this.#isOrdered ? held : held.filter(({ isAnswered }) => isAnswered);
    return unanswered;
  }

  /** Takes the answered entries at the beginning, as many as fit into one batch of results. */
  takeAnswered(batchSize: number, cutter: BatchCutter): { taken: readonly CallEntry[]; results: unknown[] } {
    const entries = this.#entries;
    let ready = 0;
    while (ready < entries.length && ready < batchSize && entries[ready]?.isAnswered === true) ready++;
    const results = entries.slice(0, ready).map(({ result }) => result);
    if (ready > 0) results.length = cutter.endOf(results);
    return { taken: entries.splice(0, results.length), results };
  }

  /** Forgets all of them, and returns those that are open. */
  clear(): CallEntry[] {
    const open = [...this.open];
    this.open.clear();
    this.#entries = [];
    return open;
  }
}
