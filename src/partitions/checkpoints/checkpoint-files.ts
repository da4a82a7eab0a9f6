/** A file of a checkpoint storage. */
export interface CheckpointFile {
  readonly name: string;
  readonly bytes: number;
}

/** The files of one scope. Implemented by memory, a directory, and an object store. */
export interface CheckpointFiles {
  /** For messages. */
  pathOf(name: string): string;
  /** In any order; also files that were not completed, if it has such. */
  list(): Promise<readonly CheckpointFile[]>;
  /**
   * Creates a file. When it settles, the file is durable. Until then, and if it fails, there is no file of that name.
   *
   * @returns false if there is one already, which is left as it is
   */
  create(name: string, chunks: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** Up to `length` bytes from `offset`, fewer only if the file ends; undefined if there is none. */
  read(name: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** Removes files, in this order; when it settles, they stay removed. Those that do not exist are passed over. */
  remove(names: readonly string[]): Promise<void>;
}
