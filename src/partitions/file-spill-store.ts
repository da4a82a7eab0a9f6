import fs from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FaultPoints } from '../environment.ts';
import { noFaults } from '../environment.ts';
import { SpillError, toError } from '../errors.ts';
import type { ResultPartitionId } from '../ids.ts';
import { type SpillFile, spillFaultPoints, type SpillStore } from './spill-store.ts';

export interface FileSpillStoreOptions {
  /** Gets a directory of the run's own; default: the system's temporary directory. */
  readonly directory: string | undefined;
  readonly faults?: FaultPoints;
}

/** Files that are open at once, at the most, beside those that are being written or read. */
const mostOpenFiles = 64;

/** Spill files in a directory of the run's own, made with the first file and removed at the end. */
export class FileSpillStore implements SpillStore {
  readonly #parent: string;
  readonly #faults: FaultPoints;
  #directory: Promise<string> | undefined;
  readonly #idle = new Set<AppendOnlyFile>();
  readonly #files = new Set<AppendOnlyFile>();

  constructor({ directory, faults = noFaults }: FileSpillStoreOptions) {
    this.#parent = directory ?? tmpdir();
    this.#faults = faults;
  }

  create({ partition, attempt }: ResultPartitionId): SpillFile {
    const file = new AppendOnlyFile({
      parent: this.#parent,
      name: `partition-${partition}-${attempt}`,
      directory: () => this.#makeDirectory(),
      faults: this.#faults,
      idle: (idle) => this.#noteIdle(idle),
      busy: (busy) => this.#idle.delete(busy),
    });
    this.#files.add(file);
    return file;
  }

  async dispose(): Promise<void> {
    for (const file of this.#files) file.remove();
    await Promise.all([...this.#files].map((file) => file.closed));
    this.#files.clear();
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }

  #makeDirectory(): Promise<string> {
    this.#directory ??= mkdir(this.#parent, { recursive: true }).then(() => mkdtemp(join(this.#parent, 'kintsugi-')));
    return this.#directory;
  }

  /** Closes the file that was used longest ago when too many are open for nothing. */
  #noteIdle(file: AppendOnlyFile): void {
    this.#idle.add(file);
    if (this.#idle.size <= mostOpenFiles) return;
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    this.#idle.delete(oldest);
    oldest.closeHandle();
  }
}

interface AppendOnlyFileOptions {
  readonly parent: string;
  readonly name: string;
  readonly directory: () => Promise<string>;
  readonly faults: FaultPoints;
  readonly idle: (file: AppendOnlyFile) => void;
  readonly busy: (file: AppendOnlyFile) => void;
}

interface Append {
  readonly bytes: Uint8Array;
  readonly done: (error: Error | undefined, offset: number) => void;
}

/** One file: what is appended while a write is under way is written together by the next. */
class AppendOnlyFile implements SpillFile {
  readonly #options: AppendOnlyFileOptions;
  #path: string;
  #handle: Promise<fs.promises.FileHandle> | undefined;
  #exists = false;
  #waiting: Append[] = [];
  #size = 0;
  #uses = 0;
  #isWriting = false;
  #isRemoved = false;

  constructor(options: AppendOnlyFileOptions) {
    this.#options = options;
    this.#path = join(options.parent, options.name);
  }

  get name(): string {
    return this.#path;
  }

  /** Settles when its handle is closed. */
  closed: Promise<void> = Promise.resolve();

  append(bytes: Uint8Array, done: Append['done']): void {
    this.#waiting.push({ bytes, done });
    if (!this.#isWriting) void this.#write();
  }

  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void {
    this.#read(offset, length).then(
      (bytes) => done(undefined, bytes),
      (error: unknown) => done(toError(error), new Uint8Array()),
    );
  }

  remove(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    if (this.#uses === 0) this.closeHandle();
  }

  /** Frees the handle; the next use opens it again. */
  closeHandle(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#options.busy(this);
    const isRemoved = this.#isRemoved && this.#exists;
    this.closed = this.closed.then(async () => {
      await handle?.then((open) => open.close()).catch(() => {});
      if (isRemoved) await rm(this.#path, { force: true }).catch(() => {});
    });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const appends = this.#waiting;
      this.#waiting = [];
      let offset = this.#size;
      let failure: Error | undefined;
      try {
        this.#options.faults.reach(spillFaultPoints.append, { file: this.#path });
        await this.#use((handle) =>
          writeAll(
            handle,
            appends.map(({ bytes }) => bytes),
            offset,
          ),
        );
        this.#size += appends.reduce((sum, { bytes }) => sum + bytes.length, 0);
      } catch (error) {
        failure = this.#spillError(toError(error));
      }
      for (const { bytes, done } of appends) {
        done(failure, offset);
        offset += bytes.length;
      }
    }
    this.#isWriting = false;
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    this.#options.faults.reach(spillFaultPoints.read, { file: this.#path, offset });
    return this.#use(async (handle) => {
      const bytes = new Uint8Array(length);
      let read = 0;
      while (read < length) {
        const { bytesRead } = await handle.read(bytes, read, length - read, offset + read);
        if (bytesRead === 0) throw new Error(`the file ends ${length - read} bytes too early`);
        read += bytesRead;
      }
      return bytes;
    });
  }

  async #use<Result>(work: (handle: fs.promises.FileHandle) => Promise<Result>): Promise<Result> {
    if (this.#isRemoved) throw new Error('the file was removed');
    this.#uses++;
    this.#options.busy(this);
    try {
      this.#handle ??= this.#open();
      return await work(await this.#handle);
    } catch (error) {
      // A file that could not be opened is tried again by the next use.
      await this.#handle?.catch(() => {
        this.#handle = undefined;
      });
      throw error;
    } finally {
      this.#uses--;
      if (this.#uses === 0 && this.#isRemoved) this.closeHandle();
      else if (this.#uses === 0 && this.#handle !== undefined) this.#options.idle(this);
    }
  }

  async #open(): Promise<fs.promises.FileHandle> {
    this.#path = join(await this.#options.directory(), this.#options.name);
    const handle = await fs.promises.open(this.#path, this.#exists ? 'r+' : 'wx+');
    this.#exists = true;
    return handle;
  }

  #spillError(cause: Error): SpillError {
    return new SpillError(this.#options.parent, cause.message, { cause });
  }
}

async function writeAll(handle: fs.promises.FileHandle, chunks: readonly Uint8Array[], offset: number): Promise<void> {
  const { bytesWritten } = await handle.writev(chunks, offset);
  const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : undefined;
  const total = bytes?.length ?? chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  // A disk that is nearly full writes a part: the rest says why.
  if (bytesWritten < total)
    await handle.write(Buffer.concat(chunks), bytesWritten, total - bytesWritten, offset + bytesWritten);
}
