import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FaultPoints, noFaults } from '../../environment.ts';
import { SpillError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId, RunId } from '../../ids.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import { FilePool } from './file-pool.ts';
import { syncDirectory } from './file-segment.ts';
import { decodeIndex, encodeIndex, type ResultIndex, type StoredIndex } from './result-index.ts';
import { SegmentedFile } from './segmented-file.ts';
import { headerBytes, resultFileName, segmentName } from './segment-header.ts';
import { type DurableFile, type DurableSpillStore, type FilePlace, spillFaultPoints } from './spill-store.ts';

export interface DurableStoreOptions {
  /** The directory of all runs' results. */
  readonly directory: string;
  readonly run: RunId;
  /** Maximum file size, unless a single append is larger. Default 64 MiB. */
  readonly segmentBytes?: number;
  readonly faults?: FaultPoints;
}

/**
 * Result files that outlive the process: those of this run in a directory of their own, and those of earlier runs, which
 * it adopts. Released results are deleted. What remains stays for a later run, unless the job has finished.
 */
export class DurableStore implements DurableSpillStore {
  readonly #options: Required<DurableStoreOptions>;
  readonly #pool = new FilePool();
  readonly #files = new Set<StoredFile>();
  /** The directories of this run and of those whose results it adopted, once they are made. */
  readonly #directories = new Map<string, Promise<string>>();
  /** Those that are there, unless somebody has deleted them. */
  readonly #made = new Set<string>();
  /** By path: indexes that were read to see what is there, until their results are adopted. */
  readonly #indexes = new Map<string, StoredIndex>();
  /** Ending: results are released with their executors, and their files stay. */
  #state: 'open' | 'ending' | 'finished' = 'open';

  constructor({ segmentBytes = 64 * 1_024 * 1_024, faults = noFaults, ...options }: DurableStoreOptions) {
    this.#options = { ...options, segmentBytes, faults };
  }

  create(id: ResultPartitionId): DurableFile {
    return this.#open(id, this.#options.run);
  }

  /** Whether the files of an earlier run's result are there, complete in length. */
  has(stored: StoredResult): boolean {
    try {
      this.#indexes.set(indexPath(this.#options.directory, stored), readStoredIndex(this.#options.directory, stored));
      return true;
    } catch {
      return false;
    }
  }

  adopt(stored: StoredResult): { readonly file: DurableFile; readonly index: StoredIndex } {
    const path = indexPath(this.#options.directory, stored);
    const index = this.#indexes.get(path) ?? readStoredIndex(this.#options.directory, stored);
    this.#indexes.delete(path);
    return { file: this.#open(stored, stored.run, index.segments), index };
  }

  /** The run ends. Unless the job has finished, the files of results stay from now on, for a later run. */
  end(hasFinished: boolean): void {
    this.#state = hasFinished ? 'finished' : 'ending';
  }

  async dispose(): Promise<void> {
    if (this.#state === 'open') this.#state = 'ending';
    await Promise.all([...this.#files].map((file) => file.gone()));
    if (this.#state === 'finished') await rm(this.#options.directory, { recursive: true, force: true });
  }

  #open(id: Pick<ResultPartitionId, 'partition' | 'attempt'>, run: RunId, segments?: readonly number[]): StoredFile {
    const { directory: parent, segmentBytes, faults } = this.#options;
    const directory = join(parent, run);
    const file: StoredFile = new StoredFile(
      new SegmentedFile({
        id,
        parent: directory,
        directory: () => this.#makeDirectory(directory),
        pool: this.#pool,
        segmentBytes,
        faults,
        noteGone: () => this.#files.delete(file),
        option: 'stateDirectory',
        ...(segments && { existing: { directory, segments } }),
      }),
      {
        identity: { run, partition: id.partition, attempt: id.attempt },
        isSealed: segments !== undefined,
        index: join(directory, indexName(id)),
        makeDirectory: () => this.#makeDirectory(directory),
        isPreserved: () => this.#state === 'ending',
        faults,
      },
    );
    this.#files.add(file);
    return file;
  }

  /** One that was deleted meanwhile is made again: its files are lost, but new ones can be written. */
  #makeDirectory(directory: string): Promise<string> {
    const known = this.#directories.get(directory);
    if (known !== undefined && (!this.#made.has(directory) || existsSync(directory))) return known;
    this.#made.delete(directory);
    const made = mkdir(directory, { recursive: true }).then(
      () => {
        this.#made.add(directory);
        return directory;
      },
      (error: unknown) => {
        // A restarted task tries again.
        this.#directories.delete(directory);
        throw error;
      },
    );
    this.#directories.set(directory, made);
    return made;
  }
}

interface StoredFileOptions {
  readonly identity: NonNullable<DurableFile['sealed']>;
  /** Whether it is the sealed file of an earlier run. */
  readonly isSealed: boolean;
  /** Path of its index. */
  readonly index: string;
  readonly makeDirectory: () => Promise<string>;
  /** Whether its files stay when it is removed. */
  readonly isPreserved: () => boolean;
  readonly faults: FaultPoints;
}

/** The file of one result, and its index. */
class StoredFile implements DurableFile {
  readonly #file: SegmentedFile;
  readonly #options: StoredFileOptions;
  #isSealed: boolean;
  #removal: Promise<void> | undefined;

  constructor(file: SegmentedFile, options: StoredFileOptions) {
    this.#file = file;
    this.#options = options;
    this.#isSealed = options.isSealed;
  }

  get sealed(): DurableFile['sealed'] {
    return this.#isSealed ? this.#options.identity : undefined;
  }

  get name(): string {
    return this.#file.name;
  }

  get shared(): DurableFile['shared'] {
    return this.#file.shared;
  }

  append(...[bytes, done]: Parameters<DurableFile['append']>): void {
    this.#file.append(bytes, done);
  }

  sync(done: (error: Error | undefined) => void): void {
    this.#file.sync(done);
  }

  verify(...[done]: Parameters<DurableFile['verify']>): void {
    this.#file.verify(done);
  }

  locate(offset: number): FilePlace {
    return this.#file.locate(offset);
  }

  read(...[offset, length, done]: Parameters<DurableFile['read']>): void {
    this.#file.read(offset, length, done);
  }

  startReads(): void {
    this.#file.startReads();
  }

  seal(index: ResultIndex, done: (error: Error | undefined) => void): void {
    this.#writeIndex(encodeIndex({ ...index, segments: this.#file.segments })).then(
      () => {
        this.#isSealed = true;
        done(undefined);
      },
      (error: unknown) => {
        const cause = toError(error);
        done(new SpillError(this.#options.index, cause.message, { cause }, 'stateDirectory'));
      },
    );
  }

  remove(): void {
    void this.gone();
  }

  /** Removes or closes it; settles once that is complete. */
  gone(): Promise<void> {
    this.#removal ??= this.#options.isPreserved() ? this.#file.detach().then(nothing, nothing) : this.#delete();
    return this.#removal;
  }

  /** The index goes first: without one, no run takes the rest for a result. */
  async #delete(): Promise<void> {
    await rm(this.#options.index, { force: true }).catch(() => {});
    await this.#file.gone();
  }

  async #writeIndex(bytes: Uint8Array): Promise<void> {
    const { index, makeDirectory, faults } = this.#options;
    faults.reach(spillFaultPoints.append, { file: index });
    await makeDirectory();
    const handle = await open(index, 'w');
    try {
      await handle.writeFile(bytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(index));
    // It was released meanwhile.
    if (this.#removal !== undefined && !this.#options.isPreserved()) await rm(index, { force: true });
  }
}

/** The name of a result's index. */
function indexName(id: Pick<ResultPartitionId, 'partition' | 'attempt'>): string {
  return `${resultFileName(id)}.index`;
}

function indexPath(directory: string, stored: StoredResult): string {
  return join(directory, stored.run, indexName(stored));
}

/**
 * Reads the index of a stored result, and checks that its files are there, complete in length.
 * @throws Error saying what is wrong
 */
export function readStoredIndex(directory: string, stored: StoredResult): StoredIndex {
  const place = join(directory, stored.run);
  const index = decodeIndex(readFileSync(indexPath(directory, stored)));
  for (const [number, bytes] of index.segments.entries()) {
    const name = segmentName(stored, number);
    const { size } = statSync(join(place, name));
    if (size !== headerBytes + bytes) throw new Error(`${name} has ${size} of ${headerBytes + bytes} bytes`);
  }
  return index;
}

function nothing(): void {}
