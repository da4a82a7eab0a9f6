import type { ResultPartitionId } from '../../ids.ts';

/**
 * Where results go that are kept on the disk (reliable ones), or that memory has no room for (blocking ones, those of the
 * exchange `memory`): append-only files, one per result partition, read back by range.
 * Calls back later, never on the stack of the call. (A file system, or memory with armed faults in tests.)
 */
export interface SpillStore {
  /** Starts an empty file. Nothing is created on disk before the first append. */
  create(id: ResultPartitionId): SpillFile;
  /** Removes every file and whatever was made for them. */
  dispose(): Promise<void>;
}

/**
 * One append-only log of bytes. One writer, many readers; appends are written in order and may be grouped. Offsets count
 * the bytes that were appended, from 0, whatever number of files of the disk they lie in.
 */
export interface SpillFile {
  /** For messages: the path, without what tells the files of the disk apart. */
  readonly name: string;
  /**
   * Appends bytes; `done` gets the offset they start at, or what went wrong (a `SpillError`). Takes ownership of `bytes`.
   * What comes after an append that failed starts where that would have.
   */
  append(bytes: Uint8Array, done: (error: Error | undefined, offset: number) => void): void;
  /**
   * Puts everything that was appended before the call on the disk, where it outlasts the machine; `done` gets what went
   * wrong (a `SpillError`). Says nothing of appends that failed: their own `done` did.
   */
  sync(done: (error: Error | undefined) => void): void;
  /**
   * Looks whether everything that was appended is there: the files, what they say of themselves, their length. Does not
   * read the bytes. `done` gets the first that is wrong.
   */
  verify(done: (error: UnreadableFileError | undefined) => void): void;
  /** Where on the disk the byte at `offset` lies, or would be put as things are. */
  locate(offset: number): FilePlace;
  /**
   * Reads exactly `length` bytes from `offset`, of those whose append is done; a short read is an error. Reads that are
   * asked for together and lie close to each other are one read of the disk: `bytes` may be a part of a buffer of at most
   * 1 MiB, which it keeps in memory. No two reads get the same bytes of it.
   */
  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void;
  /** Deletes the file; reads that are under way end with an error. Safe to call twice. */
  remove(): void;
}

/** A byte of a file of the disk. */
export interface FilePlace {
  /** The path. */
  readonly file: string;
  /** Bytes of the file before it. */
  readonly offset: number;
}

/** A file is not as it was written. The message says how, and leaves it to `file` and `offset` to say where. */
export class UnreadableFileError extends Error implements FilePlace {
  readonly file: string;
  /** Where it begins to be wrong. */
  readonly offset: number;

  constructor({ file, offset }: FilePlace, problem: string, options?: { cause?: unknown }) {
    super(problem, options);
    this.name = new.target.name;
    this.file = file;
    this.offset = offset;
  }
}

/** Where a fault can be armed in a spill store (`environment.faults`). The place says `file`, and `offset` of a read. */
export const spillFaultPoints = {
  /** Before bytes are appended: the disk is full. */
  append: 'spill.append',
  /** Before bytes are read: the file is gone. */
  read: 'spill.read',
  /** Before bytes are put on the disk for good: the disk fails. */
  sync: 'spill.sync',
} as const;
