import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts';

/** Checkpoint files in the memory of this thread: they survive tasks and executors, but not the process. */
export class MemoryCheckpointFiles implements CheckpointFiles {
  readonly #files = new Map<string, Uint8Array>();

  pathOf(name: string): string {
    return `memory/${name}`;
  }

  list(): Promise<readonly CheckpointFile[]> {
    return Promise.resolve([...this.#files].map(([name, { length }]) => ({ name, bytes: length })));
  }

  async create(name: string, chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk.slice());
    if (this.#files.has(name)) return false;
    this.#files.set(name, new Uint8Array(Buffer.concat(parts)));
    return true;
  }

  read(name: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#files.get(name)?.slice(offset, offset + length));
  }

  remove(names: readonly string[]): Promise<void> {
    for (const name of names) this.#files.delete(name);
    return Promise.resolve();
  }
}
