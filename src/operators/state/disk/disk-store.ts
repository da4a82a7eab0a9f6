import { rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { StateBackendError } from '../../../errors/state-errors.ts';
import { packRecords, unpackRecords } from '../../../partitions/records/plain-codec.ts';
import type { Cell } from '../tables/cell.ts';
import type { Changes } from './generations.ts';
import { isLong, keyBytes, keyOf } from './key-bytes.ts';
import type { LmdbDatabase, LmdbLibrary, LmdbRoot, LmdbSnapshot } from './lmdb-library.ts';
import { longKeyIn, noteIn, valueBytes, valueOf } from './value-bytes.ts';

/** Entries that are read at once from a range. */
const mostAtOnce = 256;

const binary = { keyEncoding: 'binary', encoding: 'binary', cache: false } as const;

/** So many bytes of its disk stay free. */
const reserveBytes = 1_024 * 1_024;

/** Most bytes of pages that a changed entry makes new, besides its own. */
const pageBytes = 3 * 4_096;

/** The keys that were written together. */
export interface LoggedChanges {
  /** The number of the write. */
  readonly note: number;
  readonly deleted: readonly unknown[];
  readonly changed: readonly unknown[];
}

/**
 * The entries of one table in files of their own, which nobody needs once it is closed: so nothing is synced. Each value
 * has the number of the write that it was part of, and the keys of a write are logged if asked for: what has changed
 * since a checkpoint is found by the log, and an entry that was written again since is found in the later write alone.
 *
 * DS1 It opens and writes only if its disk has room for that: where lmdb finds none, it can end the process, because a page
 *   of its lock file is not there (SIGBUS), or because its own message is longer than it thinks (SIGABRT).
 */
export class DiskStore {
  readonly #directory: string;
  readonly #root: LmdbRoot;
  readonly #entries: LmdbDatabase;
  readonly #log: LmdbDatabase;
  #notes = 0;
  /** Who needs the files: the table, and the snapshots of it. */
  #holders = 1;
  readonly #closed: (closing: Promise<unknown>) => void;
  /** What was written so far, to know how large entries are. */
  readonly written = { entries: 0, bytes: 0 };

  /** @param closed called when it closes. @throws StateBackendError */
  constructor(library: LmdbLibrary, directory: string, closed: (closing: Promise<unknown>) => void) {
    this.#directory = directory;
    this.#closed = closed;
    [this.#root, this.#entries, this.#log] = this.#doing('open', () => {
      assertRoom(dirname(directory), 0);
      const root = library.open({
        path: directory,
        noSubdir: false,
        noSync: true,
        noMemInit: true,
        overlappingSync: false,
        maxDbs: 2,
        ...binary,
      });
      return [root, root.openDB('entries', binary), root.openDB('log', binary)] as const;
    });
  }

  /** The cell of a key, which nobody else has. */
  read(key: unknown): Cell | undefined {
    const bytes = this.#doing('read', () => this.#entries.getBinaryFast(keyBytes(key)));
    return bytes && { accumulator: valueOf(bytes, this.#entries.lastSize), version: 0 };
  }

  has(key: unknown): boolean {
    return this.#doing('read', () => this.#entries.getBinaryFast(keyBytes(key))) !== undefined;
  }

  /**
   * Writes changes. If it fails, some may be written.
   * @param epoch under which their keys are logged; undefined for not at all
   * @throws RecordNotSerializableError | StateBackendError
   */
  write({ deleted, cells }: Omit<Changes, 'epoch'>, epoch: number | undefined): void {
    const note = ++this.#notes;
    const before = this.written.bytes;
    this.#doing('write', () =>
      this.#root.transactionSync(() => {
        for (const key of deleted) this.#entries.removeSync(keyBytes(key));
        for (const [key, { accumulator }] of cells) this.#put(key, accumulator, note);
        const log = epoch === undefined ? undefined : { key: logKey(epoch, note), bytes: logBytes(deleted, cells) };
        if (log !== undefined) this.#log.putSync(log.key, log.bytes);
        // Up to here everything is in memory, and goes if it throws.
        const bytes = this.written.bytes - before + (log?.bytes.length ?? 0);
        this.#assertRoom(2 * bytes, deleted.length + cells.length);
      }),
    );
    this.written.entries += cells.length;
  }

  /** Forgets the log up to an epoch. */
  forget(epoch: number): void {
    this.#doing('write', () => {
      const old = [...this.#log.getRange({ end: logKey(epoch + 1, 0) })].map(({ key }) => Buffer.from(key));
      if (old.length === 0) return;
      this.#assertRoom(0, old.length);
      this.#root.transactionSync(() => old.forEach((key) => this.#log.removeSync(key)));
    });
  }

  /** All entries, in the order of the bytes of their keys; what changes meanwhile comes as it was, or as it is. */
  entries(): IterableIterator<[unknown, Cell]> {
    return cellsOf(this.#range(this.#entries, undefined));
  }

  /** What it has now, whatever is written later. The caller releases it. */
  snapshot(): DiskSnapshot {
    const transaction = this.#doing('read', () => this.#entries.useReadTransaction());
    const { entryCount } = this.#doing('read', () => this.#entries.getStats());
    this.#holders++;
    let isReleased = false;
    const read = (key: unknown): { readonly note: number; readonly value: unknown } | undefined => {
      const found = this.#doing('read', () => this.#entries.getBinaryFast(keyBytes(key), { transaction }));
      return found && { note: noteIn(found), value: valueOf(found, this.#entries.lastSize) };
    };
    return {
      entryCount,
      entries: () => cellsOf(this.#range(this.#entries, transaction)),
      logAfter: (epoch) => this.#logged(epoch, transaction),
      read,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        transaction.done();
        this.release();
      },
    };
  }

  /** It is needed once less; when nobody needs it, its files are removed. */
  release(): void {
    if (--this.#holders > 0) return;
    const remove = (): void => rmSync(this.#directory, { recursive: true, force: true });
    this.#closed(this.#root.close().then(remove, remove));
  }

  /** DS1. A write makes no more pages anew than there are. */
  #assertRoom(bytes: number, entries: number): void {
    assertRoom(this.#directory, bytes + Math.min(pageBytes * entries, 2 * this.written.bytes));
  }

  #put(key: unknown, value: unknown, note: number): void {
    const bytes = keyBytes(key);
    const packed = valueBytes(value, note, isLong(bytes) ? { key } : undefined);
    this.written.bytes += bytes.length + packed.length;
    this.#entries.putSync(bytes, packed);
  }

  *#logged(epoch: number, transaction: LmdbSnapshot): Generator<LoggedChanges> {
    for (const { key, value } of this.#range(this.#log, transaction, logKey(epoch + 1, 0))) {
      yield { note: key.readUInt32BE(4), ...loggedIn(value) };
    }
  }

  /** A few at a time, because the thread is yielded meanwhile. */
  *#range(
    database: LmdbDatabase,
    transaction: LmdbSnapshot | undefined,
    first?: Buffer,
  ): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
    let start = first;
    for (let exclusiveStart = false; ; exclusiveStart = true) {
      const options = { start, exclusiveStart, limit: mostAtOnce, transaction };
      const found = this.#doing('read', () => [...database.getRange(options)]);
      yield* found;
      if (found.length < mostAtOnce) return;
      start = found.at(-1)?.key;
    }
  }

  #doing<Result>(operation: StateBackendError['operation'], work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      throw cause instanceof Error && 'code' in cause && cause.code === 'RECORD_NOT_SERIALIZABLE'
        ? cause
        : new StateBackendError(this.#directory, operation, cause);
    }
  }
}

/** @throws Error if the disk of a directory has no room for so many bytes */
function assertRoom(directory: string, bytes: number): void {
  const { bsize, blocks, bavail } = statfsSync(directory);
  const [left, needed] = [bsize * bavail, bytes + reserveBytes];
  // Some file systems do not tell.
  if (blocks === 0 || left >= needed) return;
  throw Object.assign(new Error(`ENOSPC: no space left on device: ${left} bytes, and ${needed} may be needed`), {
    code: 'ENOSPC',
  });
}

/** The entries of a store as they were at one time. */
export interface DiskSnapshot {
  readonly entryCount: number;
  entries(): IterableIterator<[unknown, Cell]>;
  /** What was logged after an epoch, oldest first. */
  logAfter(epoch: number): Iterable<LoggedChanges>;
  /** The value of a key, and the number of the write that it was part of. */
  read(key: unknown): { readonly note: number; readonly value: unknown } | undefined;
  release(): void;
}

function* cellsOf(range: Iterable<{ readonly key: Buffer; readonly value: Buffer }>): Generator<[unknown, Cell]> {
  for (const { key, value } of range)
    yield [keyIn(key, value), { accumulator: valueOf(value, value.length), version: 0 }];
}

function keyIn(key: Buffer, value: Buffer): unknown {
  return isLong(key) ? longKeyIn(value) : keyOf(key);
}

function logKey(epoch: number, note: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(epoch);
  key.writeUInt32BE(note, 4);
  return key;
}

/** Whether they are escaped, and the packed keys. */
function logBytes(deleted: Changes['deleted'], cells: Changes['cells']): Buffer {
  const { bytes, isEscaped } = packRecords([deleted, cells.map(([key]) => key)]);
  const all = Buffer.allocUnsafe(1 + bytes.length);
  all[0] = isEscaped ? 1 : 0;
  all.set(bytes, 1);
  return all;
}

function loggedIn(bytes: Buffer): Pick<LoggedChanges, 'deleted' | 'changed'> {
  const [deleted, changed] = unpackRecords({ bytes: bytes.subarray(1), isEscaped: bytes[0] === 1 }) as unknown[][];
  return { deleted: deleted ?? [], changed: changed ?? [] };
}
