import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbBackend } from '../../src/operators/state/disk/lmdb-backend.ts';
import { type LmdbLibrary, loadLmdb } from '../../src/operators/state/disk/lmdb-library.ts';
import { KeyedTable } from '../../src/operators/state/tables/keyed-table.ts';
import type { StateBackend } from '../../src/operators/state/tables/state-table.ts';

/** Where keyed states are kept, for suites that are the same for all. */
export const stateBackends = ['in memory', 'on disk'] as const;

/** Backends in a directory of their own, and tables in them. */
export class DiskStates {
  readonly home = mkdtempSync(join(tmpdir(), 'states-'));
  readonly #opened: StateBackend[] = [];

  /** @param cacheBytes by default so few that entries hardly stay in memory */
  async open(cacheBytes = 1): Promise<StateBackend> {
    const backend = new LmdbBackend({ kind: 'lmdb', directory: this.home, cacheBytes });
    await backend.load();
    this.#opened.push(backend);
    return backend;
  }

  /** What stores are opened with. */
  async directory(): Promise<{ readonly library: LmdbLibrary; readonly path: string }> {
    return { library: await loadLmdb(), path: this.home };
  }

  /** undefined for one in memory. */
  async backendFor(kind: (typeof stateBackends)[number], cacheBytes?: number): Promise<StateBackend | undefined> {
    return kind === 'on disk' ? await this.open(cacheBytes) : undefined;
  }

  async clear(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((backend) => backend.dispose()));
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Tables of a backend. @param atOnce of one in memory: entries that are packed or merged in one step */
export function tableOf(
  backend: StateBackend | undefined,
  atOnce?: number,
): KeyedTable | ReturnType<StateBackend['createTable']> {
  return backend?.createTable('sums') ?? new KeyedTable(atOnce);
}

/** The backend of the tests of a suite: opened before them, and gone after them. */
export function useBackend(
  kind: (typeof stateBackends)[number],
  cacheBytes?: number,
): { readonly backend: StateBackend | undefined } {
  const disk = new DiskStates();
  const used: { backend: StateBackend | undefined } = { backend: undefined };
  beforeAll(async () => void (used.backend = await disk.backendFor(kind, cacheBytes)));
  afterAll(() => disk.clear());
  return used;
}
