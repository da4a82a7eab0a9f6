import { spawnSync } from 'node:child_process';
import fs, { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnrecoverableError } from '../../../src/errors/job-errors.ts';
import { StateBackendError } from '../../../src/errors/state-errors.ts';
import type { CheckpointId } from '../../../src/ids.ts';
import { LmdbBackend } from '../../../src/operators/state/disk/lmdb-backend.ts';
import { type LmdbLibrary, loadLmdb } from '../../../src/operators/state/disk/lmdb-library.ts';
import type { StateTable } from '../../../src/operators/state/tables/state-table.ts';
import { claimDirectory } from '../../../src/partitions/claims/run-directory.ts';
import { systemProcesses } from '../../../src/partitions/claims/process-table.ts';
import { packData } from '../../../src/partitions/records/packed-data.ts';

let parent = '';
beforeEach(() => void (parent = mkdtempSync(join(tmpdir(), 'states-'))));
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const stateIn = (directory: string, cacheBytes = 1) => ({ kind: 'lmdb', directory, cacheBytes }) as const;

/** A backend whose writes fail with this message from now on. */
async function failingBackend(): Promise<{ readonly backend: LmdbBackend; readonly fail: (message: string) => void }> {
  let message: string | undefined;
  const library = await loadLmdb();
  const load = async (): Promise<LmdbLibrary> => ({
    open: (options) => {
      const root = library.open(options);
      const failing = { transactionSync: root.transactionSync.bind(root) };
      return {
        openDB: root.openDB.bind(root),
        close: root.close.bind(root),
        transactionSync: (action) => {
          if (message !== undefined) throw new Error(message);
          return failing.transactionSync(action);
        },
      };
    },
  });
  const backend = new LmdbBackend(stateIn(parent), { load });
  await backend.load();
  return { backend, fail: (why) => void (message = why) };
}

const fill = (table: StateTable, count: number): void => {
  for (let key = 0; key < count; key++) table.set(key, [key]);
};

describe('keyed states on disk', () => {
  it('have a directory of their own, which goes with them', async () => {
    const one = new LmdbBackend(stateIn(join(parent, 'a', 'b')));
    const other = new LmdbBackend(stateIn(join(parent, 'a', 'b')));
    await Promise.all([one.load(), other.load()]);
    const table = one.createTable('sums');
    fill(table, 100);
    const names = readdirSync(join(parent, 'a', 'b'));
    expect(names).toHaveLength(2);
    expect(names.flatMap((name) => readdirSync(join(parent, 'a', 'b', name))).sort()).toContain('0');
    table.close();
    await one.dispose();
    await other.dispose();
    expect(readdirSync(join(parent, 'a', 'b'))).toEqual([]);
  });

  it('of a process that was killed are removed by the next run, and of one that lives they stay', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const dead = await claimDirectory(parent, { ...systemProcesses(), pid } as never);
    mkdirSync(join(dead, '0'));
    writeFileSync(join(dead, '0', 'data.mdb'), 'entries');
    const living = await claimDirectory(parent);
    const backend = new LmdbBackend(stateIn(parent));
    await backend.load();
    const names = readdirSync(parent).map((name) => join(parent, name));
    expect(names).not.toContain(dead);
    expect(names).toContain(living);
    await backend.dispose();
  });

  it('need the package', async () => {
    const missing = new UnrecoverableError('lmdbState needs one more package: npm install lmdb');
    const backend = new LmdbBackend(stateIn(parent), { load: () => Promise.reject(missing) });
    await expect(backend.load()).rejects.toBe(missing);
    await backend.dispose();
  });

  it('say where they cannot be, and are there once they can', async () => {
    writeFileSync(join(parent, 'file'), '');
    const backend = new LmdbBackend(stateIn(join(parent, 'file', 'states')));
    await expect(backend.load()).rejects.toThrow(/^Cannot open keyed state in .*file.states: ENOTDIR.*Check the disk/);
    rmSync(join(parent, 'file'));
    await backend.load();
    expect(backend.load()).toBeUndefined();
    await backend.dispose();
  });

  (existsSync('/proc/self') ? it : it.skip)('say so if their file system takes no directories', async () => {
    const backend = new LmdbBackend(stateIn('/proc/kintsugi/states'));
    await expect(backend.load()).rejects.toThrow(/takes no new directories \(ENOENT\)/);
    await backend.dispose();
  });

  (process.geteuid?.() === 0 ? it.skip : it)('name the remedy if they are denied', async () => {
    chmodSync(parent, 0o500);
    const backend = new LmdbBackend(stateIn(join(parent, 'states')));
    await expect(backend.load()).rejects.toThrow(/a `directory` that this process may write to/);
    chmodSync(parent, 0o700);
  });

  it('DT3: say so with each use, once their disk has failed', async () => {
    const { backend, fail } = await failingBackend();
    const table = backend.createTable('sums');
    fill(table, 100);
    fail('No space left on device');
    expect(() => fill(table, 200)).toThrow(StateBackendError);
    expect(() => table.recall(1)).toThrow(/Cannot write keyed state .*Free space on its disk/);
    expect(() => table.own(1)).toThrow(StateBackendError);
    expect(() => table.peek(1)).toThrow(StateBackendError);
    expect(() => table.freeze(1 as CheckpointId, packData)).toThrow(StateBackendError);
    table.close();
    await backend.dispose();
  });

  it('DS1: are neither opened nor written where lmdb might find no room, which can end the process', async () => {
    const library = await loadLmdb();
    const opened: unknown[] = [];
    const backend = new LmdbBackend(stateIn(parent), {
      load: async () => ({ open: (options) => (opened.push(options), library.open(options)) }),
    });
    await backend.load();
    const { statfsSync } = fs;
    const leave = (bytes: number): void => {
      jest.spyOn(fs, 'statfsSync').mockImplementation(((path: string) => {
        const found = statfsSync(path);
        return Object.assign(found, { bavail: Math.floor(bytes / found.bsize) });
      }) as typeof statfsSync);
    };
    const table = backend.createTable('sums');
    try {
      leave(100_000);
      expect(() => fill(table, 100)).toThrow(
        /Cannot open keyed state .*: ENOSPC: .* bytes, and .* may be needed. Free/,
      );
      expect(opened).toEqual([]);
      jest.restoreAllMocks();
      const other = backend.createTable('counts');
      fill(other, 100);
      expect(opened).toHaveLength(1);
      leave(100_000);
      expect(() => fill(other, 200)).toThrow(/Cannot write keyed state .*: ENOSPC: .*Free space on its disk/);
      other.close();
    } finally {
      jest.restoreAllMocks();
    }
    table.close();
    await backend.dispose();
  });

  it('DT3: that are full while a snapshot is merged say so with the next use', async () => {
    const { backend, fail } = await failingBackend();
    const table = backend.createTable('sums');
    table.set(1, [1]);
    const frozen = table.freeze(1 as CheckpointId, packData);
    fail('MDB_MAP_FULL: Environment mapsize limit reached');
    frozen.release();
    expect([...frozen.merge()]).toEqual([]);
    expect(() => table.own(1)).toThrow(/MDB_MAP_FULL.*Free space/);
    table.close();
    await backend.dispose();
  });

  it('that are no plain data are refused by name when they are written', async () => {
    const backend = new LmdbBackend(stateIn(parent));
    await backend.load();
    const table = backend.createTable('orders');
    const keep = (): void => {
      for (let key = 0; key < 10; key++) table.set(key, { fn: () => 1 });
    };
    expect(keep).toThrow(
      '"orders" has a state that is not plain data: $.fn is a function. Keep plain data, or give a state of `process` a `serializer`',
    );
    table.close();
    await backend.dispose();
  });

  it('DT2: have few entries in memory, however many there are, and more if there is room', async () => {
    const mostOf = async (cacheBytes: number): Promise<number> => {
      const backend = new LmdbBackend(stateIn(parent, cacheBytes));
      await backend.load();
      const table = backend.createTable('sums');
      let most = 0;
      for (let key = 0; key < 5_000; key++) {
        table.set(key, { list: [key, key, key] });
        most = Math.max(most, table.front.size);
      }
      expect(table.keys()).toHaveLength(5_000);
      table.close();
      await backend.dispose();
      return most;
    };
    // 13 bytes of a key and a number, and about 20 of its list: some 200 in memory, four times.
    expect(await mostOf(200 * 4 * 100)).toBeLessThan(200);
    expect(await mostOf(64 * 1_024 * 1_024)).toBeGreaterThan(4_000);
  });

  it('find each key that a Map has, under itself alone', async () => {
    const backend = new LmdbBackend(stateIn(parent));
    await backend.load();
    const table = backend.createTable('keys');
    const long = 'x'.repeat(600);
    const keys = [
      ...[
        0,
        1,
        -1,
        0.5,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        -(2 ** 53),
        '',
        '0',
        '1',
        'ä',
        '\uD800',
        '\uD801',
        '\uFFFD',
      ],
      ...[long, `${long}y`, `${long}\uD800`, '\u0000', 'a\u0000b', 'NaN', 'null', 'true'],
      ...[0n, 1n, -1n, 36n ** 40n, -(36n ** 40n), true, false, null, undefined],
    ];
    for (const [at, key] of keys.entries()) table.set(key, { at });
    for (const [at, key] of keys.entries()) expect(table.peek(key)?.accumulator).toEqual({ at });
    expect(table.peek(-0)?.accumulator).toEqual({ at: 0 });
    const found = new Map(Array.from(table.entries(), ([key, { accumulator }]) => [key, accumulator]));
    expect(found).toEqual(new Map(keys.map((key, at) => [key, { at }])));
    table.close();
    await backend.dispose();
  });

  it('keep bytes, dates, maps and numbers as they were', async () => {
    const backend = new LmdbBackend(stateIn(parent));
    await backend.load();
    const table = backend.createTable('values');
    const values = [
      ...[0, -0, 1.5, Number.NaN, 2 ** 60, 'text', true, null, undefined, 10n ** 30n],
      ...[
        new Uint8Array([1, 2, 3]),
        new Date(5),
        new Map([[1, new Set(['a'])]]),
        { a: { b: [undefined, new Error('x')] } },
      ],
    ];
    for (const [key, value] of values.entries()) table.set(key, value);
    for (const [key, value] of values.entries()) expect(table.peek(key)?.accumulator).toEqual(value);
    const bytes = table.peek(10)?.accumulator;
    table.peek(11);
    expect(bytes).toEqual(new Uint8Array([1, 2, 3]));
    table.close();
    await backend.dispose();
  });
});
