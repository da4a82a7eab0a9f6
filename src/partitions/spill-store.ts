import type { ResultPartitionId } from '../ids.ts';

/**
 * Where blocking results go that do not fit in memory: append-only files, one per result partition, read back by range.
 * Calls back later, never on the stack of the call. (A file system, or memory with armed faults in tests.)
 */
export interface SpillStore {
  /** Starts an empty file. Nothing is created on disk before the first append. */
  create(id: ResultPartitionId): SpillFile;
  /** Removes every file and whatever was made for them. */
  dispose(): Promise<void>;
}

/** One append-only file. One writer, many readers; appends are written in order and may be grouped. */
export interface SpillFile {
  /** For messages: the path. */
  readonly name: string;
  /** Appends bytes; `done` gets the offset they start at, or what went wrong (a `SpillError`). Takes ownership of `bytes`. */
  append(bytes: Uint8Array, done: (error: Error | undefined, offset: number) => void): void;
  /** Looks whether the file is there and as long as what was appended; `done` gets what is wrong. */
  verify(done: (error: Error | undefined) => void): void;
  /** Reads exactly `length` bytes from `offset`; a short read is an error. */
  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void;
  /** Deletes the file; reads that are under way end with an error. Safe to call twice. */
  remove(): void;
}

/** Where a fault can be armed in a spill store (`environment.faults`). The place says `file`, and `offset` of a read. */
export const spillFaultPoints = {
  /** Before bytes are appended: the disk is full. */
  append: 'spill.append',
  /** Before bytes are read: the file is gone. */
  read: 'spill.read',
} as const;
