import type { CheckpointFile, CheckpointFiles } from './checkpoint-files.ts';

/** Room for a file that is begun. */
const fewBytes = 4_096;

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
    let [content, length] = [new Uint8Array(fewBytes), 0];
    for await (const chunk of chunks) {
      if (length + chunk.length > content.length) {
        const longer = new Uint8Array(Math.max(2 * content.length, length + chunk.length));
        longer.set(content);
        content = longer;
      }
      content.set(chunk, length);
      length += chunk.length;
    }
    if (this.#files.has(name)) return false;
    this.#files.set(name, content.slice(0, length));
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
