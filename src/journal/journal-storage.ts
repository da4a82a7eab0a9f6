/** The bytes of a file, as a reader needs them. */
export interface LogBytes {
  /** For messages. */
  readonly path: string;
  /** Its length in bytes now. */
  size(): number;
  /** Up to `length` bytes from `offset`; fewer only if the file ends. */
  read(offset: number, length: number): Uint8Array;
  /** Reads up to `length` bytes from `offset` to the beginning of `into`. Returns their number; fewer only if the file ends. */
  readInto(into: Uint8Array, offset: number, length: number): number;
  /** Idempotent. Not while a sync is under way. */
  close(): void;
}

/** A file that one owner writes, at its end alone. */
export interface JournalFile extends LogBytes {
  /**
   * Writes `bytes` at `offset`, which is the end of the file. When it returns, the operating system has them: they
   * survive the process, but not the machine.
   *
   * @throws Error if some bytes were not written; some of them may have been
   */
  write(offset: number, bytes: Uint8Array): void;
  /** Cuts off everything from `size` on. */
  truncate(size: number): void;
  /** Settles when all bytes written before the call survive a power loss. */
  sync(): Promise<void>;
}

/**
 * A directory of files that only grow, for logs. All operations are synchronous but syncs and `unlink`, which wait for the
 * disk.
 * Implemented by a file system, and in tests by memory that loses what was not synced.
 */
export interface JournalStorage {
  /** The path of a file, for messages. */
  pathOf(name: string): string;
  /** The names of its files, in any order; none if the directory does not exist. */
  list(): string[];
  /** Opens a file to be written by one owner; creates it, and the directory, if they do not exist. */
  open(name: string): JournalFile;
  /** Opens a file for reading, which its owner may be writing; undefined if there is none. */
  openToRead(name: string): LogBytes | undefined;
  /** Settles when what anybody wrote to a file before the call survives a power loss; at once if there is no such file. */
  syncFile(name: string): Promise<void>;
  /** Renames a file, over the one of that name if there is one. At any time, there is either the old one or the new one. */
  rename(from: string, to: string): void;
  /** Deletes a file if it exists. */
  remove(name: string): void;
  /** As `remove`, but nothing else waits meanwhile: where the disk is busy, it can take milliseconds. Resolves with whether it was there. */
  unlink(name: string): Promise<boolean>;
  /** Settles when files created, renamed and removed before the call stay so after a power loss. */
  syncDirectory(): Promise<void>;
}
