import type { SyncPolicy } from '../../graph/exchange-settings.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { readBack } from '../storage/read-back.ts';
import { frameChecksum } from '../records/element-codec.ts';
import type { SpillFile, SpillStore } from '../storage/spill-store.ts';
import type { WrittenElement } from '../stream-element.ts';
import { DiskRoom, type DiskRoomOptions } from './disk-room.ts';
import type { LogEntry, RetainedLog } from './retained-log.ts';

/** Elements, and bytes, that may be on their way to the disk before the producer has to wait. */
const mostUnwritten = { elements: 8, bytes: 8 * 1_024 * 1_024 } as const;

export interface ResultFileOptions {
  readonly spillStore: SpillStore;
  /** What may be taken of the disk; undefined: all of it. */
  readonly disk: DiskRoomOptions | undefined;
  readonly sync: SyncPolicy;
  /** Whether records that come back are frozen like those they were written from. */
  readonly freeze: boolean;
  /** Elements of a subpartition that stay in memory although they are written. */
  readonly inStep: number;
  /** A producer that was held up may go on, or something went wrong. */
  readonly changed: () => void;
}

/**
 * What one result has on the disk: one file at a time, which is made with the first element that goes there.
 *
 * Invariants (those of the room it takes are DR1 and DR2):
 * - RF1 An element counts as written when it is in the file of now. What is still on its way into one that was removed, or
 *   read from there, changes nothing.
 * - RF2 The first failure is that of the end, until another attempt writes what was not taken anew.
 */
export class ResultFile {
  readonly #options: ResultFileOptions;
  readonly #disk: DiskRoom;
  /** The attempt that writes now. */
  #id: ResultPartitionId;
  #file: SpillFile | undefined;
  /** Elements on their way into the file. */
  #underWay = new Set<LogEntry>();
  /** Appends whose end is to come, those into removed files among them. */
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

  /** Bytes of the disk. */
  get usedBytes(): number {
    return this.#disk.usedBytes;
  }

  /** What went wrong first. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Whether so much is on its way that a producer has to wait. */
  get isBusy(): boolean {
    return this.#unwritten >= mostUnwritten.elements || this.#unwrittenBytes >= mostUnwritten.bytes;
  }

  /** Whether there is no room on the disk, and a producer has to wait for it. */
  get isDiskFull(): boolean {
    return this.#failure === undefined && this.#disk.isFull;
  }

  /** A producer waits for room on the disk from now on. */
  waitForRoom(): void {
    this.#disk.waitForRoom();
  }

  /** Whether an element is in the file, or will be. */
  holds(entry: LogEntry): boolean {
    return entry.written !== undefined || this.#underWay.has(entry);
  }

  /**
   * Appends element `index` of a log.
   * @throws DiskBudgetExceededError where there is no room and nobody waits
   */
  write(log: RetainedLog, index: number, entry: LogEntry, frame: Uint8Array): void {
    const { spillStore, sync, inStep, changed } = this.#options;
    const file = (this.#file ??= spillStore.create(this.#id));
    this.#disk.take(frame.length);
    if (file !== this.#file) {
      // It was itself released, to make room.
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
        this.#underWay.delete(entry);
        if (error === undefined) {
          entry.written = { offset, bytes: frame.length };
          if (index < log.length - inStep) entry.element = undefined;
        } else {
          this.#disk.giveBack(frame.length);
          this.#failure ??= error;
        }
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

  /** Reads an element that is written. */
  read(
    subpartition: number,
    { sequence, written }: LogEntry,
    done: (error: Error | undefined, element: WrittenElement | undefined) => void,
  ): void {
    const file = this.#file;
    if (file === undefined || written === undefined) {
      done(new PartitionLostError(this.#id, 'an element was dropped'), undefined);
      return;
    }
    const { freeze } = this.#options;
    readBack({ id: this.#id, file, ...written, place: { subpartition, sequence }, freeze }, done);
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

  /** Calls `done` when everything is as safe as it has to be, or with what went wrong. Only the latest call is answered. */
  finish(done: (failure: Error | undefined) => void): void {
    this.#disk.stopWaiting();
    this.#finishing = done;
    this.#finishIfWritten();
  }

  /** Another attempt writes from now on; `logs` are all there are. What the disk did not take, or lost, is removed. */
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

  /** Gives everything back. Whoever waits for the end hears of no error: what was still under way nobody needs. */
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
