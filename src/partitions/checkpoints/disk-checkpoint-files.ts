import type { JournalStorage } from '../../journal/journal-storage.ts';
import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts';

/** What the name of a file ends in until it is completed. */
export const partSuffix = '.part';

/**
 * Checkpoint files in a directory that loses nothing that was synced. A file is written under another name, synced and
 * renamed, so that it is complete or does not exist.
 */
export class DiskCheckpointFiles implements CheckpointFiles {
  readonly #storage: JournalStorage;

  constructor(storage: JournalStorage) {
    this.#storage = storage;
  }

  pathOf(name: string): string {
    return this.#storage.pathOf(name);
  }

  list(): Promise<readonly CheckpointFile[]> {
    return settled(() => this.#storage.list().map((name) => ({ name, bytes: this.#sizeOf(name) })));
  }

  async create(name: string, chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
    if (this.#exists(name)) return false;
    const part = `${name}${partSuffix}`;
    const file = this.#storage.open(part);
    let isRenamed = false;
    try {
      file.truncate(0);
      let end = 0;
      for await (const chunk of chunks) {
        file.write(end, chunk);
        end += chunk.length;
      }
      await file.sync();
      this.#storage.rename(part, name);
      isRenamed = true;
    } finally {
      file.close();
      if (!isRenamed) this.#abandon(part);
    }
    await this.#storage.syncDirectory();
    return true;
  }

  read(name: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    return settled(() => {
      const file = this.#storage.openToRead(name);
      try {
        return file?.read(offset, Math.min(length, Math.max(0, file.size() - offset)));
      } finally {
        file?.close();
      }
    });
  }

  async remove(names: readonly string[]): Promise<void> {
    let removed = 0;
    // One after the other: what is left if the process dies is what comes last.
    for (const name of names) if (await this.#storage.unlink(name)) removed++;
    if (removed > 0) await this.#storage.syncDirectory();
  }

  #exists(name: string): boolean {
    const file = this.#storage.openToRead(name);
    file?.close();
    return file !== undefined;
  }

  #sizeOf(name: string): number {
    const file = this.#storage.openToRead(name);
    try {
      return file?.size() ?? 0;
    } finally {
      file?.close();
    }
  }

  #abandon(part: string): void {
    try {
      this.#storage.remove(part);
    } catch {
      // A sweep removes it.
    }
  }
}

/** The result of synchronous work, or its error, as a promise. */
async function settled<Result>(work: () => Result): Promise<Result> {
  return await Promise.resolve().then(work);
}
