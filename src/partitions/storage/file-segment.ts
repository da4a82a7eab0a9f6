import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId } from '../../ids.ts';
import type { FilePool, PooledFile } from './file-pool.ts';
import { coalesce, deal, type RangeRead, type RangeRun } from './range-read.ts';
import { readFully, writeFully } from './file-bytes.ts';
import { encodeHeader, headerBytes, headerProblem, type SegmentHeader } from './segment-header.ts';
import { type FilePlace, UnreadableFileError } from './spill-store.ts';

export interface FileSegmentOptions {
  readonly id: ResultPartitionId;
  readonly number: number;
  /** Offset of its first byte in the log. */
  readonly start: number;
  readonly pool: FilePool;
  /** Its path, once `makeDirectory` has settled. */
  readonly path: () => string;
  readonly makeDirectory: () => Promise<unknown>;
  /** Length of a segment that another process has written and synced. Default: a new segment. */
  readonly existingBytes?: number;
}

/**
 * One file of a segmented log: a header, and the bytes from an offset of the log on. All offsets in its interface are
 * offsets of the log.
 *
 * Invariants:
 * - FS1 The header is written with the first bytes, so a non-empty segment has one.
 * - FS2 `end` advances when a write completes. The next write overwrites the remains of a failed one.
 * - FS3 After a failed sync, its bytes are never reported as synced.
 */
export class FileSegment {
  readonly #options: FileSegmentOptions;
  readonly #file: PooledFile;
  #end: number;
  /** Offset up to which the segment is synced. */
  #syncedEnd: number;
  #syncFailure: Error | undefined;
  #waitingReads: RangeRead[] = [];
  /** Whether those wait for the file. */
  #areReadsDue = false;

  constructor(options: FileSegmentOptions) {
    this.#options = options;
    const { existingBytes = 0 } = options;
    this.#end = this.#syncedEnd = options.start + existingBytes;
    this.#file =
      existingBytes > 0
        ? options.pool.adopt(options.path())
        : options.pool.add(async () => {
            await options.makeDirectory();
            return options.path();
          });
  }

  get start(): number {
    return this.#options.start;
  }

  /** Offset after its last byte. */
  get end(): number {
    return this.#end;
  }

  get isEmpty(): boolean {
    return this.#end === this.start;
  }

  /** Length of the file with `more` bytes. */
  fileBytes(more = 0): number {
    return headerBytes + (this.#end - this.start) + more;
  }

  locate(offset: number): FilePlace {
    return { file: this.#options.path(), offset: this.#positionOf(offset) };
  }

  /** Appends all chunks or none. One write at a time. */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#file.use(async (handle) => {
      const position = this.isEmpty ? 0 : this.fileBytes();
      try {
        await writeFully(handle, this.isEmpty ? [encodeHeader(this.#header), ...chunks] : [...chunks], position);
      } catch (error) {
        // FS2, and the disk may be full.
        await handle.truncate(position).catch(() => {});
        throw error;
      }
      this.#end += sumOf(chunks);
    });
  }

  /** Reads a range of the segment, together with other ranges that are asked for on this stack. Answers later. */
  read(range: RangeRead): void {
    this.#waitingReads.push(range);
    if (this.#waitingReads.length === 1) void Promise.resolve().then(() => this.startReads());
  }

  /** Begins the reads that were asked for: at once, if the file is open. */
  startReads(): void {
    if (this.#areReadsDue || this.#waitingReads.length === 0) return;
    this.#areReadsDue = true;
    void this.#readWaiting();
  }

  /** Syncs the bytes written so far. */
  sync(): Promise<void> {
    const end = this.#end;
    return this.#options.pool.syncTurn(() => this.#syncTo(end));
  }

  /** @throws UnreadableFileError (as a rejection) if the length or header of the file is wrong. */
  async verify(): Promise<void> {
    if (this.isEmpty) return;
    const expected = this.fileBytes();
    const file = this.#options.path();
    let found: { readonly size: number; readonly header: Uint8Array };
    try {
      found = await this.#file.inspect(async (handle) => {
        const [{ size }, header] = await Promise.all([handle.stat(), readFully(handle, 0, headerBytes)]);
        return { size, header };
      });
    } catch (cause) {
      const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      const problem = isMissing ? 'the file is missing' : toError(cause).message;
      throw new UnreadableFileError({ file, offset: 0 }, problem, { cause });
    }
    const { size, header } = found;
    if (size < expected) {
      throw new UnreadableFileError({ file, offset: size }, `the file has ${size} of ${expected} bytes`);
    }
    const problem = headerProblem(header, this.#header);
    if (problem !== undefined) throw new UnreadableFileError({ file, offset: 0 }, problem);
  }

  /** Closes the handle if it is unused. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** Deletes the file; settles once it is gone. */
  remove(): Promise<void> {
    return this.#file.remove();
  }

  get #header(): SegmentHeader {
    return this.#options;
  }

  /** Where a byte is in the file. */
  #positionOf(offset: number): number {
    return headerBytes + (offset - this.start);
  }

  async #syncTo(end: number): Promise<void> {
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    if (end <= this.#syncedEnd) return;
    await this.#file.use(async (handle) => {
      try {
        await handle.datasync();
        if (this.#syncedEnd === this.start) await syncDirectory(dirname(this.#options.path()));
      } catch (error) {
        // FS3: after a failed sync, the system may drop the pages and report success for the next sync.
        this.#syncFailure = toError(error);
        throw error;
      }
      this.#syncedEnd = Math.max(this.#syncedEnd, end);
    });
  }

  async #readWaiting(): Promise<void> {
    try {
      await this.#file.use(async (handle) => {
        await Promise.all(coalesce(this.#takeReads()).map((run) => this.#readRun(handle, run)));
      });
    } catch (error) {
      for (const { reject } of this.#takeReads()) reject(error);
    }
  }

  #takeReads(): readonly RangeRead[] {
    const reads = this.#waitingReads;
    this.#waitingReads = [];
    this.#areReadsDue = false;
    return reads;
  }

  async #readRun(handle: FileHandle, run: RangeRun): Promise<void> {
    try {
      const bytes = await readFully(handle, this.#positionOf(run.offset), run.length);
      if (this.#file.isRemoved) throw new Error('the file was removed');
      // By itself, so that no error of who gets them is taken for one of the file.
      void Promise.resolve().then(() => deal(run, bytes));
    } catch (error) {
      if (run.reads.length === 1) run.reads[0]?.reject(error);
      // Only the reads whose own bytes are unreadable may fail.
      else await Promise.all(run.reads.map((read) => this.#readRun(handle, { ...read, reads: [read] })));
    }
  }
}

/** Syncs the content of a file. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/**
 * Syncs the entries of a directory. Windows cannot open directories and does not need it; some file systems do not
 * support it.
 */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EINVAL' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
  } finally {
    await handle.close();
  }
}

function sumOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
