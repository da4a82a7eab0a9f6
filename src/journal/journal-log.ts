import { JournalAccessError, JournalFormatError } from '../errors/journal-errors.ts';
import { IllegalStateError } from '../errors/usage-errors.ts';
import type { JournalFile, JournalStorage } from './journal-storage.ts';
import { type LogFormat, type LogLoss, scanLog } from './log-scan.ts';
import type { RecordBuffer } from './record-buffer.ts';
import { encodeRecords, recordHeaderBytes } from './record-header.ts';

/** A log, open for its only owner, and its contents. */
export interface OpenedLog {
  readonly log: JournalLog;
  /** The payloads of its whole records, in order. */
  readonly payloads: readonly Uint8Array[];
  /** Its damaged parts, and the torn end, which was cut off. Empty for an intact log. */
  readonly losses: readonly LogLoss[];
}

/**
 * Opens a log for its only owner, which must ensure that there is no other; creates a missing one. A torn end is cut
 * off. Damaged bytes in the middle stay until {@link JournalLog.replaceWith}.
 *
 * After a power loss, unsynced appends may be gone, all of them or from some record on; synced ones are there.
 *
 * @throws JournalFormatError for a file of another kind or version, which is left as it is; JournalAccessError
 */
export function openLog(storage: JournalStorage, name: string, format: LogFormat): OpenedLog {
  const path = storage.pathOf(name);
  const file = attempt(path, 'open', () => {
    // Remains of a compaction that was not completed.
    storage.remove(nextName(name));
    return storage.open(name);
  });
  try {
    const payloads: Uint8Array[] = [];
    const losses: LogLoss[] = [];
    let end = 0;
    attempt(path, 'read', () => {
      for (const item of scanLog(file, format)) {
        if (item.kind === 'record') payloads.push(item.payload.slice());
        else losses.push(item);
        end = item.kind === 'torn' ? item.offset : item.end;
      }
      file.truncate(end);
    });
    return { log: new JournalLog(storage, name, format, file, end), payloads, losses };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * The payloads of a log that another process may be writing, which is not changed: what is damaged or torn is left out.
 * Empty if there is none.
 *
 * @throws JournalFormatError for a file of another kind or version; JournalAccessError
 */
export function readLog(storage: JournalStorage, name: string, format: LogFormat): readonly Uint8Array[] {
  const path = storage.pathOf(name);
  const file = attempt(path, 'open', () => storage.openToRead(name));
  if (file === undefined) return [];
  try {
    const payloads: Uint8Array[] = [];
    attempt(path, 'read', () => {
      for (const item of scanLog(file, format)) if (item.kind === 'record') payloads.push(item.payload.slice());
    });
    return payloads;
  } finally {
    file.close();
  }
}

/** One file that appends go to, with the offset of its end. */
interface Target {
  readonly file: JournalFile;
  end: number;
}

/**
 * An append-only log of records, written by one owner. An appended record survives the process at once, and a crash of
 * the machine once it is synced.
 *
 * Invariants:
 * - JL1 A failed append leaves no trace: what it wrote is cut off again.
 * - JL2 A sync settles after everything appended before it is synced; concurrent ones share one.
 * - JL3 At any instant of a compaction, the name stands for the old file or the new one, and either has every record
 *   appended by then.
 * - JL4 After a failed sync, or if a failed append cannot be cut off, nothing more is appended or reported as synced.
 */
export class JournalLog {
  readonly #storage: JournalStorage;
  readonly #name: string;
  readonly #format: LogFormat;
  /** The file of that name, and during a compaction the one that will replace it. */
  #targets: readonly Target[];
  #failure: Error | undefined;
  /** Counts appends, and how many of them are synced. */
  #appended = 1;
  #synced = 0;
  /** Settles when no sync is under way. */
  #syncing: Promise<unknown> = Promise.resolve();
  /** The sync that has not begun yet. */
  #nextSync: Promise<void> | undefined;
  #replacing: Promise<void> | undefined;
  /** How often the name got another file, and how many of these times are synced. */
  #renames = 1;
  #placed = 0;
  #isClosed = false;

  /** Use {@link openLog}; `file` ends at `end`. */
  constructor(storage: JournalStorage, name: string, format: LogFormat, file: JournalFile, end: number) {
    this.#storage = storage;
    this.#name = name;
    this.#format = format;
    this.#targets = [{ file, end }];
  }

  /** Path of the file. */
  get path(): string {
    return this.#storage.pathOf(this.#name);
  }

  /** Its length in bytes. */
  get size(): number {
    return (this.#targets[0] as Target).end;
  }

  /**
   * Appends one record. When it returns, the operating system has it.
   *
   * @returns the offset of the record
   * @throws JournalAccessError if it cannot be written, such as on a full disk; the log is as before
   */
  append(payload: Uint8Array): number {
    return this.appendAll([payload]);
  }

  /**
   * Appends records with one write: all or, if it throws, none. If the process or the machine dies meanwhile, some.
   *
   * @returns the offset of the first record; see {@link recordBytes}
   * @throws JournalAccessError as {@link append}
   */
  appendAll(payloads: readonly Uint8Array[]): number {
    this.#assertUsable();
    if (payloads.length === 0) return this.size;
    return this.#append((offset) => encodeRecords(this.#format, payloads, offset));
  }

  /** As {@link appendAll}, of records that were made in place. */
  appendFrom(records: RecordBuffer): number {
    this.#assertUsable();
    if (records.length === 0) return this.size;
    return this.#append((offset) => records.recordsAt(this.#format, offset));
  }

  /**
   * Settles when everything appended so far survives a power loss. Callers that wait at the same time share one sync of
   * the file, so a call per record costs little.
   *
   * @throws JournalAccessError (as a rejection); from then on the log cannot be used
   */
  async sync(): Promise<void> {
    this.#assertUsable();
    if (this.#synced === this.#appended) return;
    this.#nextSync ??= this.#queue(() => {
      this.#nextSync = undefined;
      return this.#syncAll();
    });
    await this.#nextSync;
  }

  /**
   * Compaction: replaces all records by these, which stand for everything appended so far. Appends during it are kept.
   * If the process or the machine dies meanwhile, the log has its old records or the new ones. If it fails before the
   * new ones are in place, the log continues with the old ones.
   *
   * @throws JournalAccessError (as a rejection)
   */
  async replaceWith(payloads: readonly Uint8Array[]): Promise<void> {
    this.#assertUsable();
    if (this.#replacing !== undefined) throw new IllegalStateError(`${this.path} is being compacted already`);
    this.#replacing = this.#replace(payloads);
    try {
      await this.#replacing;
    } finally {
      this.#replacing = undefined;
    }
  }

  /** Ends the log once syncs and a compaction under way have ended. Does not sync. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#replacing?.catch(() => {});
    await this.#syncing;
    for (const { file } of this.#targets) file.close();
  }

  async #replace(payloads: readonly Uint8Array[]): Promise<void> {
    const old = this.#targets[0] as Target;
    const name = nextName(this.#name);
    let next: Target | undefined;
    try {
      this.#storage.remove(name);
      next = { file: this.#storage.open(name), end: 0 };
      write(next, encodeRecords(this.#format, payloads, next.end));
      this.#targets = [old, next];
      await next.file.sync();
      this.#storage.rename(name, this.#name);
    } catch (cause) {
      this.#targets = [old];
      // Syncs under way may include it.
      void this.#syncing.then(() => next?.file.close());
      throw this.#abandoned(name, cause);
    }
    this.#targets = [next];
    this.#renames++;
    await this.#queue(() => this.#place()).catch((cause: unknown) => {
      this.#failure ??= new JournalAccessError(this.path, 'replace', cause);
      throw this.#failure;
    });
    old.file.close();
  }

  /** After a replacement that failed: the error, once its file is gone as far as possible. */
  #abandoned(name: string, cause: unknown): JournalAccessError {
    try {
      this.#storage.remove(name);
    } catch {
      // It is removed when the log is opened again.
    }
    return new JournalAccessError(this.path, 'replace', cause);
  }

  #append(recordsAt: (offset: number) => Uint8Array): number {
    const offset = this.size;
    const ends = this.#targets.map(({ end }) => end);
    try {
      for (const target of this.#targets) write(target, recordsAt(target.end));
    } catch (cause) {
      const error = new JournalAccessError(this.path, 'append to', cause);
      this.#cutBackTo(ends, error);
      throw error;
    }
    this.#appended++;
    return offset;
  }

  #cutBackTo(ends: readonly number[], error: Error): void {
    try {
      for (const [index, target] of this.#targets.entries()) {
        target.end = ends[index] as number;
        target.file.truncate(target.end);
      }
    } catch {
      this.#failure = error;
    }
  }

  /** Runs `work` after the syncs before it. */
  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#syncing.then(work);
    this.#syncing = done.catch(() => {});
    return done;
  }

  async #syncAll(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const appended = this.#appended;
    try {
      await Promise.all(this.#targets.map(({ file }) => file.sync()));
      await this.#place();
    } catch (cause) {
      // JL4: after a failed sync, the system may drop the bytes and report success for the next one.
      this.#failure = new JournalAccessError(this.path, 'sync', cause);
      throw this.#failure;
    }
    this.#synced = Math.max(this.#synced, appended);
  }

  /** JL3: a power loss may bring the old file back, so nothing is reported as synced before the directory is. */
  async #place(): Promise<void> {
    const renames = this.#renames;
    if (this.#placed === renames) return;
    await this.#storage.syncDirectory();
    this.#placed = renames;
  }

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new IllegalStateError(`${this.path} is closed`);
  }
}

/** Bytes that a payload of this length takes in a log. */
export function recordBytes(payloadBytes: number): number {
  return recordHeaderBytes + payloadBytes;
}

function write(target: Target, bytes: Uint8Array): void {
  target.file.write(target.end, bytes);
  target.end += bytes.length;
}

function nextName(name: string): string {
  return `${name}.next`;
}

function attempt<Result>(path: string, operation: JournalAccessError['operation'], work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof JournalFormatError ? error : new JournalAccessError(path, operation, error);
  }
}
