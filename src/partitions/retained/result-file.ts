import type { SyncPolicy } from '../../graph/exchange-settings.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { type ReadFrame, readBack } from '../storage/read-back.ts';
import { frameChecksum } from '../records/element-codec.ts';
import type { ResultIndex } from '../storage/result-index.ts';
import { type DurableFile, isDurable, type SpillFile, type SpillStore } from '../storage/spill-store.ts';
import { DiskRoom, type DiskRoomOptions } from './disk-room.ts';
import type { LogEntry, RetainedLog } from './retained-log.ts';

/** Maximum elements, and bytes, on their way to disk before the producer has to wait. */
const mostUnwritten = { elements: 8, bytes: 8 * 1_024 * 1_024 } as const;

export interface ResultFileOptions {
  readonly spillStore: SpillStore;
  /** The limits on disk space; undefined for none. */
  readonly disk: DiskRoomOptions | undefined;
  readonly sync: SyncPolicy;
  /** Whether records that are read back are frozen, as the written ones were. */
  readonly freeze: boolean;
  /** Number of written elements per subpartition that also stay in memory. */
  readonly inStep: number;
  /** Called when a blocked producer may continue, or after a failure. */
  readonly changed: () => void;
}

/**
 * The file of one result, created with the first element that goes to disk. It may be replaced by a new one.
 *
 * Invariants (for its disk space, DR1 and DR2):
 * - RF1 An element counts as written when it is in the current file. Writes to and reads from a removed file have
 *   no effect.
 * - RF2 The first failure is reported at the end, until another attempt writes everything again.
 */
export class ResultFile {
  readonly #options: ResultFileOptions;
  readonly #disk: DiskRoom;
  /** The current attempt. */
  #id: ResultPartitionId;
  #file: SpillFile | undefined;
  /** Elements on their way into the file. */
  #underWay = new Set<LogEntry>();
  /** Appends under way, including those into removed files. */
  #unwritten = 0;
  #unwrittenBytes = 0;
  #failure: Error | undefined;
  #finishing: ((failure: Error | undefined) => void) | undefined;

  constructor(id: ResultPartitionId, options: ResultFileOptions) {
    this.#id = id;
    this.#options = options;
    this.#disk = new DiskRoom(options.disk, (failure) => {
      this.#failure ??= failure;
      options.changed();
    });
  }

  /** Bytes on disk. */
  get usedBytes(): number {
    return this.#disk.usedBytes;
  }

  /** The first failure. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Where other threads of this machine can read it. */
  get shared(): SpillFile['shared'] {
    return this.#file?.shared;
  }

  /** Whether a producer has to wait because too much is on its way to disk. */
  get isBusy(): boolean {
    return this.#unwritten >= mostUnwritten.elements || this.#unwrittenBytes >= mostUnwritten.bytes;
  }

  /** Whether a producer has to wait for room on the disk. */
  get isDiskFull(): boolean {
    return this.#failure === undefined && this.#disk.isFull;
  }

  /** A producer waits for room on the disk: starts its time limit. */
  waitForRoom(): void {
    this.#disk.waitForRoom();
  }

  /** Whether an element is in the file, or on its way. */
  holds(entry: LogEntry): boolean {
    return entry.written !== undefined || this.#underWay.has(entry);
  }

  /**
   * Appends element `index` of a log.
   * @throws DiskBudgetExceededError if there is no room and producers do not wait
   */
  write(log: RetainedLog, index: number, entry: LogEntry, frame: Uint8Array): void {
    const { spillStore, sync, inStep, changed } = this.#options;
    const file = (this.#file ??= spillStore.create(this.#id));
    this.#disk.take(frame.length);
    if (file !== this.#file) {
      // This result itself was released to make room.
      this.#disk.giveBack(frame.length);
      return;
    }
    entry.checksum = frameChecksum(frame);
    this.#unwritten++;
    this.#unwrittenBytes += frame.length;
    this.#underWay.add(entry);
    const settle = (error: Error | undefined, offset: number): void => {
      const wasBusy = this.isBusy;
      this.#unwritten--;
      this.#unwrittenBytes -= frame.length;
      // RF1.
      if (file === this.#file) {
        // Otherwise it was discarded meanwhile.
        const isWanted = this.#underWay.delete(entry);
        this.#failure ??= error;
        if (error === undefined && isWanted) {
          entry.written = { offset, bytes: frame.length };
          if (index < log.length - inStep) entry.element = undefined;
        } else this.#disk.giveBack(frame.length);
      }
      this.#finishIfWritten();
      if (error !== undefined || (wasBusy && !this.isBusy)) changed();
    };
    file.append(frame, (error, offset) => {
      if (error !== undefined || sync !== 'write') settle(error, offset);
      else file.sync((unsynced) => settle(unsynced, offset));
    });
    const old = log.entryAt(index - inStep);
    if (old?.written !== undefined && old.reservedBytes === 0) old.element = undefined;
  }

  /** Reads the frame of a written element: its copy, if there is one, on the caller's stack. */
  read(
    subpartition: number,
    { sequence, written, copy }: LogEntry,
    done: (error: Error | undefined, frame: ReadFrame | undefined) => void,
  ): void {
    const file = this.#file;
    if (file === undefined || written === undefined) {
      done(new PartitionLostError(this.#id, 'an element was dropped'), undefined);
      return;
    }
    const { offset, bytes } = written;
    const { freeze } = this.#options;
    readBack({ id: this.#id, file, offset, bytes, copy, place: { subpartition, sequence }, freeze }, done);
  }

  /** Begins the reads from the file that were asked for. */
  startReads(): void {
    this.#file?.startReads?.();
  }

  /**
   * Nobody reads these elements again. Those that are on their way are given back once they are there.
   * @returns whether some of them are in the file
   */
  discard(entries: readonly LogEntry[]): boolean {
    let bytes = 0;
    for (const entry of entries) {
      this.#underWay.delete(entry);
      bytes += entry.written?.bytes ?? 0;
      entry.written = undefined;
    }
    if (bytes > 0) this.#disk.giveBack(bytes);
    return bytes > 0;
  }

  /** Removes the beginning of the file on disk, before the elements that are left. O(elements) */
  shorten(logs: Iterable<RetainedLog>): void {
    let first = Number.POSITIVE_INFINITY;
    for (const log of logs) {
      // Within a log, elements are in the file in their order, but for those that were lost and written again.
      for (const { written } of log.kept()) if (written !== undefined) first = Math.min(first, written.offset);
    }
    if (this.#underWay.size === 0 || first < Number.POSITIVE_INFINITY) this.#file?.dropBefore?.(first);
  }

  verify(done: (error?: Error) => void): void {
    if (this.#file === undefined) {
      done();
      return;
    }
    this.#file.verify((error) => {
      done(error && new PartitionLostError(this.#id, error.message, { cause: error, location: error }));
    });
  }

  /**
   * Calls `done` when all elements are as safe as `sync` demands, or with the first failure. Only the latest call is
   * answered.
   */
  finish(done: (failure: Error | undefined) => void): void {
    this.#disk.stopWaiting();
    this.#finishing = done;
    this.#finishIfWritten();
  }

  /** Takes over the file of an earlier run's complete result. */
  adopt(file: SpillFile, bytes: number): void {
    this.#file = file;
    this.#disk.adopt(bytes);
  }

  /**
   * Seals the file of a complete result, if results of its store outlive the process. Calls `done` when it is safe, or
   * with the error.
   *
   * @param index undefined if the file does not hold everything
   */
  seal(index: () => ResultIndex | undefined, done: (failure: Error | undefined) => void): void {
    const { spillStore } = this.#options;
    const contents = isDurable(spillStore) ? index() : undefined;
    if (!isDurable(spillStore) || contents === undefined) {
      done(undefined);
      return;
    }
    const file = this.#file ?? spillStore.create(this.#id);
    this.#file = file;
    const id = this.#id;
    (file as DurableFile).seal(contents, (failure) => {
      // The next attempt has taken over (RA1), perhaps with the same file.
      if (id !== this.#id) return;
      // Otherwise it was closed.
      if (file === this.#file) this.#failure ??= failure;
      done(file === this.#file ? failure : undefined);
    });
  }

  /** What names its sealed file for a later run. */
  get sealed(): DurableFile['sealed'] {
    const { spillStore } = this.#options;
    return isDurable(spillStore) ? (this.#file as DurableFile | undefined)?.sealed : undefined;
  }

  /** The next attempt takes over; `logs` are all logs of the result. A lost or incomplete file is removed. */
  restart(id: ResultPartitionId, isLost: boolean, logs: readonly RetainedLog[]): void {
    this.#id = id;
    this.#finishing = undefined;
    this.#disk.stopWaiting();
    if (isLost || this.#failure !== undefined) {
      this.#removeFile();
      for (const log of logs) for (const entry of log.kept()) entry.written = undefined;
    }
    this.#failure = undefined;
  }

  /** Gives everything back. A pending `finish` gets no error, because nothing under way is needed. */
  close(): void {
    const finishing = this.#finishing;
    this.#finishing = undefined;
    this.#disk.close();
    this.#removeFile();
    finishing?.(undefined);
  }

  #removeFile(): void {
    this.#file?.remove();
    this.#file = undefined;
    this.#underWay = new Set();
    this.#disk.giveBackAll();
  }

  #finishIfWritten(): void {
    const finishing = this.#finishing;
    if (finishing === undefined || this.#unwritten > 0) return;
    if (this.#failure !== undefined || this.#file === undefined || this.#options.sync !== 'checkpoint') {
      this.#finished(finishing);
      return;
    }
    this.#file.sync((error) => {
      // Otherwise it was closed, or the next attempt has taken over.
      if (this.#finishing !== finishing) return;
      this.#failure ??= error;
      this.#finished(finishing);
    });
  }

  #finished(finishing: (failure: Error | undefined) => void): void {
    this.#finishing = undefined;
    finishing(this.#failure);
  }
}
