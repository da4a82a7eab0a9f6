import { type FileHandle, open, rm } from 'node:fs/promises';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import { fileProblem } from '../file-problem.ts';
import { GzipPacker } from './gzip-packer.ts';
import { identityOf, type PreparedPart } from './prepared-part.ts';

const flushLength = 256 * 1024;

/** Where a part is written, and where it will be. */
export type PartPlace = Pick<PreparedPart, 'path' | 'first' | 'number' | 'temporary' | 'place'>;

/** A part file in progress. It grows under a temporary name. */
export class PartFile {
  readonly path: string;
  readonly #about: PartPlace;
  readonly #handle: FileHandle;
  readonly #packer: GzipPacker | undefined;
  #text = '';
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #writtenBytes = 0;
  #isOpen = true;

  private constructor(about: PartPlace, handle: FileHandle, packer: GzipPacker | undefined) {
    this.path = about.path;
    this.#about = about;
    this.#handle = handle;
    this.#packer = packer;
  }

  /** @throws FileAccessError */
  static async open(
    about: PartPlace,
    { environment }: Pick<RuntimeContext, 'environment'>,
    packing: 'gzip' | 'none',
  ): Promise<PartFile> {
    try {
      const handle = await open(about.temporary, 'wx');
      return new PartFile(about, handle, packing === 'gzip' ? new GzipPacker(environment) : undefined);
    } catch (error) {
      throw fileProblem(about.path, 'write', error);
    }
  }

  /**
   * Appends text, or bytes, which the caller must not change afterwards. Returns a promise when the buffer is full; the
   * caller has to wait for it.
   */
  append(data: string | Uint8Array): void | Promise<void> {
    if (typeof data === 'string') {
      this.#text += data;
    } else {
      this.#endText();
      this.#push(data);
    }
    if (this.#text.length + this.#chunkBytes >= flushLength) return this.#flush();
  }

  /** Completes the file and syncs it, and leaves it under its temporary name. On failure it is removed. */
  async prepare(records: number): Promise<PreparedPart> {
    try {
      await this.#flush();
      if (this.#packer !== undefined) await this.#write(await this.#packer.end());
      await this.#handle.datasync();
      await this.#close();
      return { ...this.#about, identity: await identityOf(this.#about.temporary), records, bytes: this.#writtenBytes };
    } catch (error) {
      await this.abort();
      throw fileProblem(this.path, 'write', error);
    }
  }

  /** Removes the temporary file. */
  async abort(): Promise<void> {
    await this.#close();
    await rm(this.#about.temporary, { force: true });
  }

  async #flush(): Promise<void> {
    this.#endText();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    if (!this.#isOpen) throw new IllegalStateError(`${this.path}: written to after it was closed`);
    for (const chunk of chunks)
      await this.#write(this.#packer === undefined ? [chunk] : await this.#packer.pack(chunk));
  }

  async #write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      for (const chunk of chunks) {
        await this.#handle.appendFile(chunk);
        this.#writtenBytes += chunk.length;
      }
    } catch (error) {
      throw fileProblem(this.path, 'write', error);
    }
  }

  #endText(): void {
    if (this.#text !== '') this.#push(Buffer.from(this.#text));
    this.#text = '';
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#packer?.close();
    await this.#handle.close();
  }
}
