import type { ByteBudget } from '../byte-budget.ts';
import { assertSerializable } from '../records/plain-data.ts';
import { elementChecksum } from '../records/element-codec.ts';
import { estimateElementBytes } from '../records/record-size.ts';
import type { WrittenElement } from '../stream-element.ts';
import type { LogEntry, RetainedLog } from './retained-log.ts';

/** Elements of a subpartition that its consumer has not taken, from which on it counts as crowded. */
const crowded = 4;

/**
 * Where elements are kept: in memory up to a budget, of which the oldest that were read are dropped; in memory, and on
 * disk past the budget; on disk.
 */
export type Retention = 'memory' | 'memory-then-disk' | 'disk';

export interface MemoryRoomOptions {
  readonly retention: Retention;
  readonly budget: ByteBudget;
  /** Whether what is dropped leaves its checksum, to be compared with when it is produced again. */
  readonly isReproducible: boolean;
  /** Hears that the beginning was dropped. */
  readonly truncated: () => void;
  /** A producer that was held up may go on. */
  readonly changed: () => void;
}

/**
 * What one result takes of memory.
 *
 * Invariants:
 * - MR1 What its elements have reserved is what it has reserved of the budget.
 * - MR2 What a live reader has not taken is never dropped; with no reader nothing is, until the last one was dismissed.
 * - MR3 A budget that is used up holds a producer up only while a reader lags: two exchanges never wait for each other's
 *   memory.
 * - MR4 What nobody reads yet and there is no room for goes elsewhere: who will read it may wait, by another way, for this
 *   very producer to finish.
 */
export class MemoryRoom {
  readonly #options: MemoryRoomOptions;
  /** Logs in the order in which elements of theirs were taken: whose oldest may be dropped next. */
  #taken: RetainedLog[] = [];
  #takenAt = 0;
  readonly #crowdedLogs = new Set<RetainedLog>();
  /** While a reader lags: others may make room. */
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

  /** Whether the next element may have to go to the disk. */
  get needsDisk(): boolean {
    const { retention, budget } = this.#options;
    return retention === 'disk' || (retention === 'memory-then-disk' && !budget.hasRoomFor(1));
  }

  /**
   * Where element `index` of a log goes: in `memory`, for which it reserves what it takes; on `disk`; or `nowhere`, if it
   * was itself dropped to make room.
   * @throws RecordNotSerializableError for what might have to be written later and cannot be
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
      // They stay where they are, and are refused all the same: whether there is room must make no difference.
      if (element.kind === 'records') assertSerializable(element.records);
    }
    budget.reserve(bytes);
    entry.reservedBytes = bytes;
    this.#usedBytes += bytes;
    return 'memory';
  }

  /** Whether what was dropped should come back: there is room, or somebody will read it. */
  isWorthKeeping(log: RetainedLog, index: number, element: WrittenElement): boolean {
    const { retention, budget } = this.#options;
    if (retention !== 'memory') return true;
    const isToBeRead = !log.isDismissed && (!log.isRead || index >= log.position);
    return isToBeRead || budget.hasRoomFor(estimateElementBytes(element));
  }

  /** Frees what an element takes; at the most its checksum is kept. */
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

  noteTaken(log: RetainedLog): void {
    this.noteCrowd(log);
    const { retention, budget } = this.#options;
    if (retention !== 'memory') return;
    this.#taken.push(log);
    while (budget.isExceeded && this.#dropOldest());
  }

  /** The reader of a log needs nothing more, and has taken what there is up to entry `from`. */
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

  /** What was dropped of these logs, all there are, may come back, and be dropped again. */
  restart(logs: readonly RetainedLog[]): void {
    this.#isTruncated = false;
    this.#taken = [];
    this.#takenAt = 0;
    for (const log of logs) {
      for (let index = log.first; index < log.position; index++) this.#taken.push(log);
      this.noteCrowd(log);
    }
  }

  /** Gives everything back, and holds nobody up. */
  close(): void {
    this.#leaveBudget?.();
    this.#leaveBudget = undefined;
    this.#options.budget.release(this.#usedBytes);
    this.#usedBytes = 0;
    this.#taken = [];
    this.#crowdedLogs.clear();
  }

  /** MR2. False if nothing can be dropped. */
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
