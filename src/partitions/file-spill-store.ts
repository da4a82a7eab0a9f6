import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FaultPoints } from '../environment.ts';
import { noFaults } from '../environment.ts';
import { SpillError, toError } from '../errors.ts';
import type { ResultPartitionId } from '../ids.ts';
import { claimDirectory, sweepOrphans } from './run-directory.ts';
import { type SpillFile, spillFaultPoints, type SpillStore } from './spill-store.ts';

export interface FileSpillStoreOptions {
  /** Gets a directory of the run's own; default: the system's temporary directory. */
  readonly directory: string | undefined;
  readonly faults?: FaultPoints;
}

/** Files that are kept open while nobody writes or reads them. */
const mostIdle = 64;

/** Files that are written or read at once: thousands of partitions must not need thousands of open files. */
const mostBusy = 32;

/** Spill files in a directory of the run's own, made with the first file and removed at the end. */
export class FileSpillStore implements SpillStore {
  readonly #parent: string;
  readonly #faults: FaultPoints;
  readonly #files = new Set<AppendOnlyFile>();
  /** Open for nothing, the one that has been for longest first. */
  readonly #idle = new Set<AppendOnlyFile>();
  readonly #waiting: (() => void)[] = [];
  #busyCount = 0;
  #directory: Promise<string> | undefined;
  #isDisposed = false;

  constructor({ directory, faults = noFaults }: FileSpillStoreOptions) {
    this.#parent = directory ?? tmpdir();
    this.#faults = faults;
  }

  create({ partition, attempt }: ResultPartitionId): SpillFile {
    const file: AppendOnlyFile = new AppendOnlyFile({
      parent: this.#parent,
      name: `partition-${partition}-${attempt}`,
      faults: this.#faults,
      directory: () => this.#makeDirectory(),
      turn: (work) => this.#takeTurn(work),
      noteBusy: () => this.#idle.delete(file),
      noteIdle: () => this.#keepIdle(file),
      noteGone: () => this.#files.delete(file),
    });
    this.#files.add(file);
    return file;
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    const files = [...this.#files];
    for (const file of files) file.remove();
    await Promise.all(files.map(({ gone }) => gone));
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }

  #makeDirectory(): Promise<string> {
    if (this.#isDisposed) return Promise.reject(new Error('the run is over'));
    this.#directory ??= this.#makeFreshDirectory();
    return this.#directory;
  }

  async #makeFreshDirectory(): Promise<string> {
    try {
      await mkdir(this.#parent, { recursive: true });
      await sweepOrphans(this.#parent);
      return await claimDirectory(this.#parent);
    } catch (error) {
      // A restarted task tries again: the disk may be writable by then.
      this.#directory = undefined;
      throw error;
    }
  }

  async #takeTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#busyCount === mostBusy) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busyCount++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busyCount--;
      else next();
    }
  }

  async #keepIdle(file: AppendOnlyFile): Promise<void> {
    this.#idle.add(file);
    if (this.#idle.size <= mostIdle) return;
    const [longest] = this.#idle;
    if (longest === undefined) return;
    this.#idle.delete(longest);
    await longest.close();
  }
}

/** What a file needs of its store. */
interface AppendOnlyFileOptions {
  readonly parent: string;
  readonly name: string;
  readonly faults: FaultPoints;
  readonly directory: () => Promise<string>;
  readonly turn: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly noteBusy: () => void;
  readonly noteIdle: () => Promise<void>;
  readonly noteGone: () => void;
}

interface Append {
  readonly bytes: Uint8Array;
  readonly done: (error: Error | undefined, offset: number) => void;
}

/** One file: what is appended while a write is under way is written together by the next. */
class AppendOnlyFile implements SpillFile {
  /** Settles when it is removed and its handle closed. */
  readonly gone: Promise<void>;
  readonly #options: AppendOnlyFileOptions;
  #settleGone: () => void = () => {};
  #path: string;
  #handle: Promise<FileHandle> | undefined;
  #closing: Promise<void> = Promise.resolve();
  #exists = false;
  #waiting: Append[] = [];
  #size = 0;
  /** Writes and reads that run, or wait for their turn. */
  #uses = 0;
  /** Those that run. */
  #active = 0;
  #isWriting = false;
  #isRemoved = false;

  constructor(options: AppendOnlyFileOptions) {
    this.#options = options;
    this.#path = join(options.parent, options.name);
    this.gone = new Promise((resolve) => {
      this.#settleGone = resolve;
    });
  }

  get name(): string {
    return this.#path;
  }

  append(bytes: Uint8Array, done: Append['done']): void {
    this.#waiting.push({ bytes, done });
    if (!this.#isWriting) void this.#writeAll();
  }

  read(offset: number, length: number, done: (error: Error | undefined, bytes: Uint8Array) => void): void {
    void this.#use((handle) => this.#readRange(handle, offset, length)).then(
      (bytes) => done(undefined, bytes),
      (error: unknown) => done(toError(error), new Uint8Array()),
    );
  }

  verify(done: (error: Error | undefined) => void): void {
    if (!this.#exists) return done(undefined);
    const expected = this.#size;
    void stat(this.#path).then(
      ({ size }) => done(size < expected ? new Error(`the file has ${size} of ${expected} bytes`) : undefined),
      (error: unknown) => done(toError(error)),
    );
  }

  remove(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    if (this.#uses === 0) void this.#disappear();
  }

  /** Gives up its handle; the next use opens it again. */
  close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#closing = this.#closing.then(async () => {
      await handle?.then((opened) => opened.close()).catch(() => {});
    });
    return this.#closing;
  }

  async #disappear(): Promise<void> {
    this.#options.noteBusy();
    await this.close();
    if (this.#exists) await rm(this.#path, { force: true }).catch(() => {});
    this.#options.noteGone();
    this.#settleGone();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const appends = this.#waiting;
      this.#waiting = [];
      const failure = await this.#write(appends);
      let offset = this.#size;
      for (const { bytes, done } of appends) {
        done(failure, offset);
        offset += bytes.length;
      }
      if (failure === undefined) this.#size = offset;
    }
    this.#isWriting = false;
  }

  async #write(appends: readonly Append[]): Promise<SpillError | undefined> {
    try {
      await this.#use(async (handle) => {
        this.#options.faults.reach(spillFaultPoints.append, { file: this.#path });
        await writeChunks(
          handle,
          appends.map(({ bytes }) => bytes),
          this.#size,
        );
      });
      return undefined;
    } catch (error) {
      const cause = toError(error);
      return new SpillError(this.#options.parent, cause.message, { cause });
    }
  }

  async #readRange(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
    this.#options.faults.reach(spillFaultPoints.read, { file: this.#path, offset });
    const bytes = new Uint8Array(length);
    for (let read = 0; read < length; ) {
      const { bytesRead } = await handle.read(bytes, read, length - read, offset + read);
      if (bytesRead === 0) throw new Error(`the file ends ${length - read} bytes too early`);
      read += bytesRead;
    }
    return bytes;
  }

  async #use<Result>(work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    if (this.#isRemoved) throw new Error('the file was removed');
    this.#uses++;
    return this.#options.turn(async () => {
      this.#options.noteBusy();
      this.#active++;
      try {
        return await work(await this.#opened());
      } finally {
        this.#uses--;
        this.#active--;
        await this.#rest();
      }
    });
  }

  async #rest(): Promise<void> {
    if (this.#isRemoved && this.#uses === 0) await this.#disappear();
    else if (this.#active === 0 && this.#handle !== undefined) await this.#options.noteIdle();
  }

  async #opened(): Promise<FileHandle> {
    const handle = (this.#handle ??= this.#open());
    try {
      return await handle;
    } catch (error) {
      if (this.#handle === handle) this.#handle = undefined;
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    this.#path = join(await this.#options.directory(), this.#options.name);
    const handle = await open(this.#path, this.#exists ? 'r+' : 'wx+');
    this.#exists = true;
    return handle;
  }
}

async function writeChunks(handle: FileHandle, chunks: Uint8Array[], offset: number): Promise<void> {
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  let { bytesWritten: written } = await handle.writev(chunks, offset);
  if (written === total) return;
  // A disk that is nearly full takes a part; writing the rest says why.
  const all = Buffer.concat(chunks);
  while (written < total) {
    const { bytesWritten } = await handle.write(all, written, total - written, offset + written);
    if (bytesWritten === 0) throw new Error(`${total - written} bytes were not taken`);
    written += bytesWritten;
  }
}
