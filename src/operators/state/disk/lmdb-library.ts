import { UnrecoverableError } from '../../../errors/job-errors.ts';
import { toError } from '../../../errors/thrown-value.ts';

/** What the package `lmdb` is used for. */
export interface LmdbLibrary {
  open(options: Readonly<Record<string, unknown>>): LmdbRoot;
}

/** The state of a database at one time, which stays as it is until `done`. */
export interface LmdbSnapshot {
  done(): void;
}

interface RangeOptions {
  readonly start?: Uint8Array | undefined;
  readonly end?: Uint8Array | undefined;
  readonly exclusiveStart?: boolean;
  readonly limit?: number;
  readonly transaction?: LmdbSnapshot | undefined;
}

/** A database with binary keys and values. */
export interface LmdbDatabase {
  /** The buffer is valid until the next call; only its first `lastSize` bytes are the value. */
  getBinaryFast(key: Uint8Array, options?: { readonly transaction?: LmdbSnapshot | undefined }): Buffer | undefined;
  readonly lastSize: number;
  putSync(key: Uint8Array, value: Uint8Array): boolean;
  removeSync(key: Uint8Array): boolean;
  getRange(options: RangeOptions): Iterable<{ readonly key: Buffer; readonly value: Buffer }>;
  getStats(): { readonly entryCount: number };
  useReadTransaction(): LmdbSnapshot;
}

/** A file of databases. */
export interface LmdbRoot {
  openDB(name: string, options: Readonly<Record<string, unknown>>): LmdbDatabase;
  transactionSync<Result>(action: () => Result): Result;
  close(): Promise<void>;
}

/** @throws UnrecoverableError if it is not installed */
export async function loadLmdb(): Promise<LmdbLibrary> {
  try {
    const { open } = await import('lmdb');
    return { open: open as unknown as LmdbLibrary['open'] };
  } catch (cause) {
    throw new UnrecoverableError(`lmdbState needs one more package: npm install lmdb (${toError(cause).message})`, {
      cause,
    });
  }
}
