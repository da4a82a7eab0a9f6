import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StateBackendError } from '../../../errors/state-errors.ts';
import { IllegalStateError } from '../../../errors/usage-errors.ts';
import { makeDirectory } from '../../../partitions/claims/make-directory.ts';
import { claimDirectory, sweepOrphans } from '../../../partitions/claims/run-directory.ts';
import type { StateBackend, StateTable, TableLoading } from '../tables/state-table.ts';
import type { TableRun } from '../tables/table-state.ts';
import { DiskLoading } from './disk-loading.ts';
import { DiskStore } from './disk-store.ts';
import { DiskTable } from './disk-table.ts';
import { type LmdbLibrary, loadLmdb } from './lmdb-library.ts';
import type { LmdbState } from './lmdb-state.ts';

/** A state of so many entries is read into memory if there is room; then the table writes what it does not need there. */
const mostInMemory = 8_192;

/** Bytes in memory of an entry without its content: its cell, and its places in maps. */
const entryBytes = 128;

/** How many bytes a byte of content takes in memory. */
const inflation = 3;

/** Most entries of which a table finds out how large they are, and their bytes until then. */
const first = { mostEntries: 256, bytes: 256 };

/** A table has so many times the entries of its limit in memory, at most. */
const generations = 4;

/** What the tests of a backend replace, and its environment. */
interface LmdbBackendOptions {
  readonly hold?: (() => () => void) | undefined;
  readonly load?: () => Promise<LmdbLibrary>;
}

/** Keyed states in files of lmdb, in a directory of its own that goes with it. */
export class LmdbBackend implements StateBackend {
  readonly #state: LmdbState;
  readonly #hold: () => () => void;
  readonly #load: () => Promise<LmdbLibrary>;
  #loading: Promise<void> | undefined;
  #ready: { readonly library: LmdbLibrary; readonly directory: string } | undefined;
  #tables = 0;
  #stores = 0;
  readonly #closing = new Set<Promise<unknown>>();

  /** @param hold of the environment: its clock cannot see what the library does on threads of its own */
  constructor(state: LmdbState, { hold, load = loadLmdb }: LmdbBackendOptions = {}) {
    this.#state = state;
    this.#hold = hold ?? (() => () => {});
    this.#load = load;
  }

  load(): Promise<void> | undefined {
    if (this.#ready !== undefined) return undefined;
    this.#loading ??= this.#prepare().catch((error: unknown) => {
      // Another attempt may find the disk mended.
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  createTable(uid: string): StateTable {
    this.#tables++;
    return new DiskTable({
      uid,
      open: () => this.#openStore(),
      mostEntries: (bytes) => this.#mostEntries(bytes),
      closed: () => void this.#tables--,
    });
  }

  beginLoading(runs: readonly TableRun[]): TableLoading | undefined {
    const entries = runs.reduce((sum, run) => sum + run.entries, 0);
    return entries <= Math.min(mostInMemory, this.#state.cacheBytes / entryBytes)
      ? undefined
      : new DiskLoading(this.#openStore());
  }

  async dispose(): Promise<void> {
    await this.#loading?.catch(() => {});
    await Promise.all(this.#closing);
    if (this.#ready !== undefined) await rm(this.#ready.directory, { recursive: true, force: true });
  }

  async #prepare(): Promise<void> {
    const release = this.#hold();
    try {
      this.#ready = await this.#claim(await this.#load());
    } finally {
      release();
    }
  }

  async #claim(library: LmdbLibrary): Promise<{ readonly library: LmdbLibrary; readonly directory: string }> {
    const { directory: parent } = this.#state;
    try {
      makeDirectory(parent);
      await sweepOrphans(parent);
      return { library, directory: await claimDirectory(parent) };
    } catch (cause) {
      throw new StateBackendError(parent, 'open', cause);
    }
  }

  #openStore(): DiskStore {
    if (this.#ready === undefined) throw new IllegalStateError('A state backend is used before it is loaded');
    const { library, directory } = this.#ready;
    return new DiskStore(library, join(directory, `${this.#stores++}`), (closing) => {
      const release = this.#hold();
      this.#closing.add(closing);
      void closing.finally(() => {
        this.#closing.delete(closing);
        release();
      });
    });
  }

  /** Each table has an equal part of the cache. */
  #mostEntries(bytes: number | undefined): number {
    const share = this.#state.cacheBytes / Math.max(1, this.#tables) / generations;
    const entries = Math.max(1, Math.floor(share / (entryBytes + inflation * (bytes ?? first.bytes))));
    return bytes === undefined ? Math.min(first.mostEntries, entries) : entries;
  }
}
