import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlink,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { JournalFile, JournalStorage, LogBytes } from '../../journal/journal-storage.ts';
import { makeDirectory } from '../claims/make-directory.ts';
import { syncDirectory } from './file-segment.ts';

// Windows has only some of these; undefined adds no bits.
const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;

const syncData = promisify(fdatasync);
const unlinkFile = promisify(unlink);

/** Logs as files of a directory, which is created with the first file and is its owner's alone. Does not follow links. */
export class FileJournalStorage implements JournalStorage {
  readonly #directory: string;
  /** Directories with an entry that has to be synced: this one, and the parents of those created. */
  readonly #changed = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  pathOf(name: string): string {
    return join(this.#directory, name);
  }

  list(): string[] {
    try {
      const entries = readdirSync(this.#directory, { withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  open(name: string): JournalFile {
    this.#makeDirectory();
    const path = this.pathOf(name);
    return new OpenFile(path, openRegular(path, O_RDWR | O_CREAT));
  }

  openToRead(name: string): LogBytes | undefined {
    const path = this.pathOf(name);
    try {
      return new OpenFile(path, openRegular(path, O_RDONLY));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async syncFile(name: string): Promise<void> {
    const path = this.pathOf(name);
    let descriptor: number;
    try {
      // Windows syncs only what is open for writing.
      descriptor = openRegular(path, O_RDWR);
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    try {
      await syncData(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  rename(from: string, to: string): void {
    renameSync(this.pathOf(from), this.pathOf(to));
  }

  remove(name: string): void {
    rmSync(this.pathOf(name), { force: true });
  }

  async unlink(name: string): Promise<boolean> {
    try {
      await unlinkFile(this.pathOf(name));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async syncDirectory(): Promise<void> {
    const parents = [...this.#changed];
    await Promise.all([this.#directory, ...parents].map(syncDirectory));
    for (const parent of parents) this.#changed.delete(parent);
  }

  #makeDirectory(): void {
    const first = makeDirectory(this.#directory, 0o700);
    if (first === undefined) return;
    const top = dirname(first);
    for (let at = dirname(this.#directory); ; at = dirname(at)) {
      this.#changed.add(at);
      if (at === top || at === dirname(at)) return;
    }
  }
}

class OpenFile implements JournalFile {
  readonly path: string;
  #descriptor: number | undefined;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(): number {
    return fstatSync(this.#open).size;
  }

  read(offset: number, length: number): Uint8Array {
    // A few bytes come from a pool: memory of their own costs as much as the call that reads them.
    const { buffer, byteOffset } = Buffer.allocUnsafe(length);
    const bytes = new Uint8Array(buffer, byteOffset, length);
    const read = this.readInto(bytes, offset, length);
    return read === length ? bytes : bytes.subarray(0, read);
  }

  readInto(into: Uint8Array, offset: number, length: number): number {
    let read = 0;
    while (read < length) {
      const more = readSync(this.#open, into, read, length - read, offset + read);
      if (more === 0) break;
      read += more;
    }
    return read;
  }

  write(offset: number, bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.length) {
      const more = writeSync(this.#open, bytes, written, bytes.length - written, offset + written);
      if (more <= 0) throw new Error(`${bytes.length - written} bytes were not written`);
      written += more;
    }
  }

  truncate(size: number): void {
    ftruncateSync(this.#open, size);
  }

  sync(): Promise<void> {
    return syncData(this.#open);
  }

  close(): void {
    if (this.#descriptor === undefined) return;
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    closeSync(descriptor);
  }

  get #open(): number {
    if (this.#descriptor === undefined) throw new Error('it is closed');
    return this.#descriptor;
  }
}

/** Opens a file; a link, a pipe or a device is refused without waiting for it. */
function openRegular(path: string, flags: number): number {
  const descriptor = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw new Error('it is not a regular file');
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
