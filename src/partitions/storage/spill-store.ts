import type { ResultPartitionId } from '../../ids.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type { LentFile, ResultIndex } from './result-index.ts';

/**
 * Storage for results that live on disk (`reliable`), or that exceed the memory budget (`blocking`, `memory`):
 * append-only files, one per result partition, read back by range. Callbacks are asynchronous, never on the caller's
 * stack. Implemented by a file system, and in tests by memory with armed faults.
 */
export interface SpillStore {
  /** Creates an empty file. Nothing exists on disk before the first append. */
  create(id: ResultPartitionId): SpillFile;
  /** Removes every file and directory of the store. */
  dispose(): Promise<void>;
}

/**
 * One append-only log of bytes, with one writer and many readers. Appends are written in order and may be batched.
 * Offsets count appended bytes from 0, across all files on disk.
 */
export interface SpillFile {
  /** For messages: the path without the segment suffix. */
  readonly name: string;
  /**
   * Appends bytes; `done` gets their start offset, or a `SpillError`. Takes ownership of `bytes`. The append after a
   * failed one starts at the failed one's offset.
   */
  append(bytes: Uint8Array, done: (error: Error | undefined, offset: number) => void): void;
  /**
   * Syncs all earlier appends, so that they survive a machine crash; `done` gets a `SpillError` on failure. Failed
   * appends are reported only to their own `done`.
   */
  sync(done: (error: Error | undefined) => void): void;
  /**
   * Verifies that all files exist with the right header and length, without reading their content. `done` gets the
   * first fault.
   */
  verify(done: (error: UnreadableFileError | undefined) => void): void;
  /** The file and position of the byte at `offset`, existing or future. */
  locate(offset: number): FilePlace;
  /**
   * Reads exactly `length` bytes from `offset`, within completed appends; a short read is an error. Concurrent reads of
   * nearby ranges become one disk read, so `bytes` may be a view that keeps a buffer of up to 1 MiB in memory. Views of
   * different reads never overlap.
   */
  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void;
  /**
   * Begins the reads that were asked for, which otherwise wait for others until the caller's stack is done. Default: they
   * wait.
   */
  startReads?(): void;
  /**
   * Nothing before `offset` is read again: frees as much of it as is easy. Infinity: nothing that was appended. Default:
   * nothing is freed.
   */
  dropBefore?(offset: number): void;
  /** Where other threads of this machine can read it; undefined if they cannot. */
  readonly shared?: Pick<LentFile, 'directory' | 'segments' | 'writtenAs'> | undefined;
  /** Deletes the file; reads under way end with an error. Idempotent. */
  remove(): void;
}

/** A file whose complete result outlives the process. */
export interface DurableFile extends SpillFile {
  /** What names it for a later run, once it is sealed. */
  readonly sealed: Pick<StoredResult, 'run' | 'partition' | 'attempt'> | undefined;
  /**
   * Writes the index of the complete result beside its synced files: from then on another process can read it. `done`
   * gets a `SpillError` on failure.
   */
  seal(index: ResultIndex, done: (error: Error | undefined) => void): void;
}

/** A store of such files. */
export interface DurableSpillStore extends SpillStore {
  create(id: ResultPartitionId): DurableFile;
  /**
   * Opens the file of an earlier run's complete result, with its index.
   * @throws Error if the index is missing, damaged or does not fit the files
   */
  adopt(stored: StoredResult): { readonly file: DurableFile; readonly index: ResultIndex };
}

/** Whether the results of a store outlive the process. */
export function isDurable(store: SpillStore): store is DurableSpillStore {
  return 'adopt' in store;
}

/** A position in a file on disk. */
export interface FilePlace {
  /** The path. */
  readonly file: string;
  /** Byte offset in the file. */
  readonly offset: number;
}

/** A file differs from what was written. The message says how; `file` and `offset` say where. */
export class UnreadableFileError extends Error implements FilePlace {
  readonly file: string;
  /** Offset of the first fault. */
  readonly offset: number;

  constructor({ file, offset }: FilePlace, problem: string, options?: { cause?: unknown }) {
    super(problem, options);
    this.name = new.target.name;
    this.file = file;
    this.offset = offset;
  }
}

/** Fault points in a spill store (`environment.faults`). Their place has `file`, and for a read `offset`. */
export const spillFaultPoints = {
  /** Before an append, to simulate a full disk. */
  append: 'spill.append',
  /** Before a read, to simulate a missing file. */
  read: 'spill.read',
  /** Before a sync, to simulate a disk failure. */
  sync: 'spill.sync',
} as const;
