import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type FaultPoints, noFaults } from '../../environment.ts';
import type { SpillOption } from '../../errors/result-errors.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { makeDirectory } from '../claims/make-directory.ts';
import { systemProcesses } from '../claims/process-table.ts';
import { claimDirectory, disownDirectory, sweepOrphans } from '../claims/run-directory.ts';
import { FilePool } from './file-pool.ts';
import { syncDirectory } from './file-segment.ts';
import { encodeManifest, type KeptManifest, manifestFile } from './kept-manifest.ts';
import { segmentName } from './segment-header.ts';
import { SegmentedFile } from './segmented-file.ts';
import type { SpillFile, SpillStore } from './spill-store.ts';

export interface FileSpillStoreOptions {
  /** Parent of the run's directory. Default: the system's temporary directory. */
  readonly directory: string | undefined;
  /** Maximum file size, unless a single append is larger. Default 64 MiB. */
  readonly segmentBytes?: number;
  readonly faults?: FaultPoints;
  /** Which option names the directory, for messages. Default: `spillDirectory`. */
  readonly option?: SpillOption | undefined;
}

/** A file of a store that was detached from it. */
export type DetachedFile = Pick<ResultPartitionId, 'partition' | 'attempt'> & {
  readonly directory: string;
  readonly segments: readonly number[];
};

/** Spill files in a directory per run, created with the first file and removed at the end. */
export class FileSpillStore implements SpillStore {
  readonly #parent: string;
  readonly #segmentBytes: number;
  readonly #faults: FaultPoints;
  readonly #option: SpillOption | undefined;
  readonly #pool = new FilePool();
  readonly #files = new Set<SegmentedFile>();
  #directory: Promise<string> | undefined;
  /** Settles once the directories of dead runs are removed; runs in the background. */
  #sweeping: Promise<void> | undefined;
  #isDisposed = false;

  constructor({ directory, segmentBytes = 64 * 1_024 * 1_024, faults = noFaults, option }: FileSpillStoreOptions) {
    this.#option = option;
    this.#parent = directory ?? tmpdir();
    this.#segmentBytes = segmentBytes;
    this.#faults = faults;
  }

  create(id: ResultPartitionId): SpillFile {
    const file: SegmentedFile = new SegmentedFile({
      id,
      parent: this.#parent,
      directory: () => this.#makeDirectory(),
      pool: this.#pool,
      segmentBytes: this.#segmentBytes,
      faults: this.#faults,
      noteGone: () => this.#files.delete(file),
      option: this.#option,
    });
    this.#files.add(file);
    return file;
  }

  /** The files that have not been removed. */
  get files(): SegmentedFile[] {
    return [...this.#files].filter((file) => !file.isRemoved);
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await Promise.all([...this.#files].map((file) => file.gone()));
    const directory = await this.#directory?.catch(() => undefined);
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    // Wait for the sweep's current step; it starts no other.
    await this.#sweeping;
  }

  /**
   * Moves its directory to `target`, where it outlives the run and a machine crash: complete and synced, or not at all.
   *
   * @param manifest is written beside its files
   * @param detached the files of other stores, complete and synced, that move there, too
   */
  async promote(target: string, manifest: KeptManifest, detached: readonly DetachedFile[] = []): Promise<void> {
    const { files } = this;
    await Promise.all([...this.#files].filter((file) => file.isRemoved).map((file) => file.gone()));
    const directory = await this.#makeDirectory();
    await Promise.all(files.map((file) => file.detach()));
    for (const { directory: from, segments, ...id } of detached) {
      if (from === directory) continue;
      for (const number of segments.keys()) {
        const name = segmentName(id, number);
        await rename(join(from, name), join(directory, name));
      }
    }
    const handle = await open(join(directory, manifestFile), 'wx');
    try {
      await handle.writeFile(encodeManifest(manifest));
      await handle.sync();
    } finally {
      await handle.close();
    }
    // The directory is disowned before it is renamed, so that no sweep removes it under the new name.
    await disownDirectory(directory);
    await syncDirectory(directory);
    await rename(directory, target);
    // The parent directory holds its name.
    await syncDirectory(dirname(target));
    this.#files.clear();
    this.#directory = undefined;
  }

  async #makeDirectory(): Promise<string> {
    if (this.#isDisposed) throw new Error('the run is over');
    const known = this.#directory;
    // A cleaner of temporary directories may have deleted it: its files are lost, but new ones can be written.
    if (known !== undefined && !existsSync(await known) && this.#directory === known) this.#directory = undefined;
    if (this.#directory !== undefined) return this.#directory;
    const made = this.#makeFreshDirectory();
    this.#directory = made;
    try {
      return await made;
    } catch (error) {
      // A restarted task tries again: the disk may be writable by then.
      if (this.#directory === made) this.#directory = undefined;
      throw error;
    }
  }

  async #makeFreshDirectory(): Promise<string> {
    makeDirectory(this.#parent);
    this.#sweeping ??= sweepOrphans(this.#parent, systemProcesses(), () => this.#isDisposed);
    return claimDirectory(this.#parent);
  }
}
