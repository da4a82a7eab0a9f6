import type { ByteBudget } from '../byte-budget.ts';
import { elementChecksum } from '../records/element-codec.ts';
import { estimateElementBytes } from '../records/record-size.ts';
import type { Batch, WrittenElement } from '../stream-element.ts';
import type { LogEntry, RetainedLog } from './retained-log.ts';

/** A subpartition with this many elements that its consumer has not taken is crowded. */
const crowded = 4;

/**
 * Where elements are stored: in memory up to a budget, past which the oldest that were read are dropped; in memory,
 * and past the budget on disk; or on disk.
 */
export type Retention = 'memory' | 'memory-then-disk' | 'disk';

export interface MemoryRoomOptions {
  readonly retention: Retention;
  readonly budget: ByteBudget;
  /** Whether a dropped element leaves its checksum, for comparison when it is reproduced. */
  readonly isReproducible: boolean;
  /** @throws RecordNotSerializableError for records that cannot be written */
  readonly assertWritable: (records: Batch) => void;
  /** Called when the beginning was dropped. */
  readonly truncated: () => void;
  /** Called when a blocked producer may continue. */
  readonly changed: () => void;
}

/**
 * The memory of one result.
 *
 * Invariants:
 * - MR1 It has reserved exactly what its elements have reserved.
 * - MR2 Elements that a live reader has not taken are never dropped. Without a reader nothing is dropped, until the
 *   last one was dismissed.
 * - MR3 A used-up budget stops a producer only while a reader lags, so two exchanges never wait for each other's
 *   memory.
 * - MR4 Without a reader, elements past the budget go to disk: blocking could deadlock, because the future reader
 *   may depend on this producer.
 */
export class MemoryRoom {
  readonly #options: MemoryRoomOptions;
  /**
   * The logs in the order in which their elements were taken: the next one whose oldest element may be dropped comes
   * first.
   */
  #taken: RetainedLog[] = [];
  #takenAt = 0;
  readonly #crowdedLogs = new Set<RetainedLog>();
  /** Set while a reader lags, because other results may make room. */
  #leaveBudget: (() => void) | undefined;
  #usedBytes = 0;
  #isTruncated = false;

  constructor(options: MemoryRoomOptions) {
    this.#options = options;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether the beginning was dropped. */
  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /** MR3. Whether a producer has to wait. */
  get isFull(): boolean {
    return this.#crowdedLogs.size > 0 && this.#options.budget.isExceeded;
  }

  /** Whether the next element may have to go to disk. */
  get needsDisk(): boolean {
    const { retention, budget } = this.#options;
    return retention === 'disk' || (retention === 'memory-then-disk' && !budget.hasRoomFor(1));
  }

  /**
   * Decides where element `index` of a log goes: to `memory`, where it reserves room; to `disk`; or `nowhere`, if the
   * element itself was dropped to make room.
   * @throws RecordNotSerializableError for records that may have to be written later but cannot be
   */
  placeFor(log: RetainedLog, index: number, entry: LogEntry, element: WrittenElement): 'memory' | 'disk' | 'nowhere' {
    const { retention, budget } = this.#options;
    if (retention === 'disk') return 'disk';
    const bytes = estimateElementBytes(element);
    if (!budget.hasRoomFor(bytes) || retention === 'memory') {
      if (retention === 'memory-then-disk') return 'disk';
      while (!budget.hasRoomFor(bytes) && this.#dropOldest());
      if (index < log.first) return 'nowhere';
      // MR4.
      if ((!log.isRead || index < log.position) && !budget.hasRoomFor(bytes)) return 'disk';
    } else {
      // Records that cannot be written are refused even if there is room, so that a job's validity does not depend on
      // the room.
      if (element.kind === 'records') this.#options.assertWritable(element.records);
    }
    budget.reserve(bytes);
    entry.reservedBytes = bytes;
    this.#usedBytes += bytes;
    return 'memory';
  }

  /** Whether a dropped element should be restored: there is room, or a reader will need it. */
  isWorthKeeping(log: RetainedLog, index: number, element: WrittenElement): boolean {
    const { retention, budget } = this.#options;
    if (retention !== 'memory') return true;
    const isToBeRead = !log.isDismissed && (!log.isRead || index >= log.position);
    return isToBeRead || budget.hasRoomFor(estimateElementBytes(element));
  }

  /** Frees an element; at most its checksum remains. */
  forget(log: RetainedLog, entry: LogEntry): void {
    this.#options.budget.release(entry.reservedBytes);
    this.#usedBytes -= entry.reservedBytes;
    entry.reservedBytes = 0;
    if (this.#options.isReproducible && entry.element !== undefined) {
      entry.checksum ??= elementChecksum(entry.element, { subpartition: log.subpartition, sequence: entry.sequence });
    }
    entry.element = undefined;
    if (this.#isTruncated) return;
    this.#isTruncated = true;
    this.#options.truncated();
  }

  /** Frees an element that nobody reads again. */
  discard(entry: LogEntry): void {
    this.#options.budget.release(entry.reservedBytes);
    this.#usedBytes -= entry.reservedBytes;
    entry.reservedBytes = 0;
    entry.element = undefined;
  }

  noteTaken(log: RetainedLog): void {
    this.noteCrowd(log);
    const { retention, budget } = this.#options;
    if (retention !== 'memory') return;
    this.#taken.push(log);
    while (budget.isExceeded && this.#dropOldest());
  }

  /** The reader of a log was dismissed. It has taken everything before entry `from`. */
  noteDismissed(log: RetainedLog, from: number): void {
    if (this.#options.retention !== 'memory') return;
    for (let index = from; index < log.length; index++) this.#taken.push(log);
    this.noteCrowd(log);
  }

  /** The elements or readers of a log have changed. */
  noteCrowd(log: RetainedLog): void {
    const { retention, budget, changed } = this.#options;
    if (retention !== 'memory') return;
    if (log.isRead && log.lead >= crowded) {
      this.#crowdedLogs.add(log);
      this.#leaveBudget ??= budget.onRelief(changed);
    } else if (this.#crowdedLogs.delete(log) && this.#crowdedLogs.size === 0) {
      this.#leaveBudget?.();
      this.#leaveBudget = undefined;
      changed();
    }
  }

  /** Starts over with these logs (all of the result): dropped elements may come back, and be dropped again. */
  restart(logs: readonly RetainedLog[]): void {
    this.#isTruncated = false;
    this.#taken = [];
    this.#takenAt = 0;
    for (const log of logs) {
      for (let index = log.first; index < log.position; index++) this.#taken.push(log);
      this.noteCrowd(log);
    }
  }

  /** Gives everything back, and blocks no producer. */
  close(): void {
    this.#leaveBudget?.();
    this.#leaveBudget = undefined;
    this.#options.budget.release(this.#usedBytes);
    this.#usedBytes = 0;
    this.#taken = [];
    this.#crowdedLogs.clear();
  }

  /** MR2. Returns false if nothing can be dropped. */
  #dropOldest(): boolean {
    while (this.#takenAt < this.#taken.length) {
      const log = this.#taken[this.#takenAt++] as RetainedLog;
      const dropped = log.dropFirst(this.#options.isReproducible);
      if (this.#takenAt * 2 > this.#taken.length) {
        this.#taken = this.#taken.slice(this.#takenAt);
        this.#takenAt = 0;
      }
      if (dropped === undefined) continue;
      this.forget(log, dropped);
      return true;
    }
    return false;
  }
}
