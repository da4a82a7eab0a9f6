import { type FileHandle, open } from 'node:fs/promises';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import { crc32 } from '../../partitions/records/checksum.ts';
import type { RuntimeContext } from '../../operators/runtime-context.ts';
import { fileProblem } from '../file-problem.ts';
import { GzipPacker } from './gzip-packer.ts';
import { type BegunPart, copyBegunPart } from './begun-part.ts';
import { identityOf, type PartPlace, type PreparedPart, removeUnfinished, setAside } from './prepared-part.ts';

const flushLength = 256 * 1024;

/** How part files are written. */
export interface PartFileOptions {
  readonly packing: 'gzip' | 'none';
  /** The directory of pending parts. */
  readonly pending: string;
  /** Whether it can go on over checkpoints, so that its CRC is needed. */
  readonly isContinuable: boolean;
}

/** A part file in progress. It grows under a temporary name. */
export class PartFile {
  readonly path: string;
  #about: PartPlace;
  readonly #handle: FileHandle;
  readonly #options: PartFileOptions;
  readonly #environment: RuntimeContext['environment'];
  /** Set while it has a gzip member without an end. */
  #packer: GzipPacker | undefined;
  #crc = 0;
  #syncedBytes = 0;
  #text = '';
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #writtenBytes = 0;
  #isOpen = true;

  private constructor(
    about: PartPlace,
    handle: FileHandle,
    { environment }: Pick<RuntimeContext, 'environment'>,
    options: PartFileOptions,
  ) {
    this.path = about.path;
    this.#about = about;
    this.#handle = handle;
    this.#environment = environment;
    this.#options = options;
  }

  /** @throws FileAccessError */
  static async open(
    about: PartPlace,
    context: Pick<RuntimeContext, 'environment'>,
    options: PartFileOptions,
  ): Promise<PartFile> {
    try {
      return new PartFile(about, await open(about.temporary, 'ax'), context, options);
    } catch (error) {
      throw fileProblem(about.path, 'write', error);
    }
  }

  /** Bytes so far; of a compressed file, those that are compressed. */
  get bytes(): number {
    return this.#writtenBytes + (this.#options.packing === 'gzip' ? 0 : this.#text.length + this.#chunkBytes);
  }

  /**
   * Begins with a copy of a part that an earlier attempt began. On failure it is removed.
   * @returns the file that was copied
   * @throws FileAccessError
   */
  async continue(begun: BegunPart, candidates: readonly string[]): Promise<string> {
    try {
      const source = await copyBegunPart(begun, candidates, this.path, this.#handle);
      [this.#writtenBytes, this.#crc] = [begun.bytes, begun.crc];
      return source;
    } catch (error) {
      await this.abort();
      throw fileProblem(this.path, 'write', error);
    }
  }

  /**
   * At a barrier: what was written so far is synced, and a checkpoint may name it from now on. The file goes on.
   * @throws FileAccessError
   */
  async keep(): Promise<Pick<BegunPart, 'temporary' | 'bytes' | 'crc'>> {
    await this.#flush();
    await this.#endMember();
    try {
      if (this.#syncedBytes < this.#writtenBytes) await this.#handle.datasync();
    } catch (error) {
      throw fileProblem(this.path, 'write', error);
    }
    this.#syncedBytes = this.#writtenBytes;
    this.#about = await setAside(this.#about, this.#options.pending);
    return { temporary: this.#about.temporary, bytes: this.#writtenBytes, crc: this.#crc };
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
      if (this.#options.packing === 'gzip' && this.#writtenBytes === 0) this.#packer ??= this.#newPacker();
      await this.#endMember();
      await this.#handle.datasync();
      await this.#close();
      return { ...this.#about, identity: await identityOf(this.#about.temporary), records, bytes: this.#writtenBytes };
    } catch (error) {
      await this.abort();
      throw fileProblem(this.path, 'write', error);
    }
  }

  /** Removes the temporary file as far as possible, unless a checkpoint may name it. */
  async abort(): Promise<void> {
    await this.#close().catch(() => {});
    await removeUnfinished(this.#about, this.#options.pending);
  }

  async #flush(): Promise<void> {
    this.#endText();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#chunkBytes = 0;
    if (!this.#isOpen) throw new IllegalStateError(`${this.path}: written to after it was closed`);
    for (const chunk of chunks) {
      if (this.#options.packing === 'gzip') this.#packer ??= this.#newPacker();
      await this.#write(this.#packer === undefined ? [chunk] : await this.#packer.pack(chunk));
    }
  }

  #newPacker(): GzipPacker {
    return new GzipPacker(this.#environment);
  }

  async #endMember(): Promise<void> {
    if (this.#packer === undefined) return;
    await this.#write(await this.#packer.end());
    this.#packer = undefined;
  }

  async #write(chunks: readonly Uint8Array[]): Promise<void> {
    try {
      for (const chunk of chunks) {
        await this.#handle.appendFile(chunk);
        this.#writtenBytes += chunk.length;
        if (this.#options.isContinuable) this.#crc = crc32(chunk, this.#crc);
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
