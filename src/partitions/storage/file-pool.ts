import { type FileHandle, open, rm } from 'node:fs/promises';

/** Files that are kept open while nobody writes or reads them. */
const mostIdle = 64;

/** Files that are written or read at once: thousands of partitions must not need thousands of open files. */
const mostBusy = 32;

/**
 * Syncs at once. The system's threads that do them also read, write and open files (four, unless UV_THREADPOOL_SIZE says
 * otherwise): a task that restarts must not wait until the disk has kept all that was written.
 */
const mostSyncing = 2;

/** Limits how many files are open, and how many are made safe at once. */
export class FilePool {
  /** Open for nothing, the one that has been for longest first. */
  readonly #idle = new Set<PooledFile>();
  readonly #busy = new Turns(mostBusy);
  readonly #syncing = new Turns(mostSyncing);

  /** A file that is not there yet; `path` is asked for when it is opened. */
  add(path: () => Promise<string>): PooledFile {
    return new PooledFile(this, path);
  }

  /** Does `work` when there are not too many at work. */
  turn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#busy.take(work);
  }

  /** Does `work`, which has the disk keep something, when there are not too many that do. */
  syncTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#syncing.take(work);
  }

  noteBusy(file: PooledFile): void {
    this.#idle.delete(file);
  }

  /** Closes the one that has been idle for longest if there are too many. */
  async noteIdle(file: PooledFile): Promise<void> {
    this.#idle.add(file);
    if (this.#idle.size <= mostIdle) return;
    const [longest] = this.#idle;
    await longest?.close();
  }
}

/** Lets some work at once, and the others in the order in which they came. */
class Turns {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#count === this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#count++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#count--;
      else next();
    }
  }
}

/**
 * A file that is made and opened when it is used, and closed when others are used more.
 *
 * Invariants:
 * - PF1 Its handle is closed only while nobody uses it.
 * - PF2 Removed, it disappears when the last use is over, and every use that was under way ends with an error.
 * - PF3 Only a file that it made is deleted.
 */
export class PooledFile {
  readonly #pool: FilePool;
  readonly #path: () => Promise<string>;
  /** Where it was made. */
  #madeAt: string | undefined;
  #handle: Promise<FileHandle> | undefined;
  #closing: Promise<void> = Promise.resolve();
  /** Uses that run, or wait for their turn. */
  #uses = 0;
  /** Those that run. */
  #active = 0;
  #removal: { readonly gone: Promise<void>; readonly settle: () => void } | undefined;

  constructor(pool: FilePool, path: () => Promise<string>) {
    this.#pool = pool;
    this.#path = path;
  }

  get isRemoved(): boolean {
    return this.#removal !== undefined;
  }

  /** Does `work` with the open file. */
  use<Result>(work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    return this.#during(async () => work(await this.#opened()));
  }

  /** Does `work` with what is to be found at its path now, which need not be what is open. It must have been used. */
  inspect<Result>(work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    return this.#during(async () => {
      const handle = await open(await this.#path(), 'r');
      try {
        return await work(handle);
      } finally {
        await handle.close();
      }
    });
  }

  /** Gives up its handle unless it is used; the next use opens it again. */
  close(): Promise<void> {
    if (this.#active > 0) return Promise.resolve();
    this.#pool.noteBusy(this);
    const handle = this.#handle;
    this.#handle = undefined;
    this.#closing = this.#closing.then(async () => {
      await handle?.then((opened) => opened.close()).catch(() => {});
    });
    return this.#closing;
  }

  /** Deletes it, also where that fails to. Settles when it is gone and its handle closed. */
  remove(): Promise<void> {
    if (this.#removal !== undefined) return this.#removal.gone;
    let settle: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      settle = resolve;
    });
    this.#removal = { gone, settle };
    if (this.#uses === 0) void this.#disappear();
    return gone;
  }

  async #disappear(): Promise<void> {
    await this.close();
    if (this.#madeAt !== undefined) await rm(this.#madeAt, { force: true }).catch(() => {});
    this.#removal?.settle();
  }

  async #during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#assertThere();
    this.#uses++;
    return this.#pool.turn(async () => {
      this.#pool.noteBusy(this);
      this.#active++;
      try {
        const result = await work();
        this.#assertThere();
        return result;
      } finally {
        this.#uses--;
        this.#active--;
        await this.#rest();
      }
    });
  }

  #assertThere(): void {
    if (this.#removal !== undefined) throw new Error('the file was removed');
  }

  async #rest(): Promise<void> {
    if (this.#removal !== undefined && this.#uses === 0) await this.#disappear();
    else if (this.#active === 0 && this.#handle !== undefined) await this.#pool.noteIdle(this);
  }

  async #opened(): Promise<FileHandle> {
    const handle = (this.#handle ??= this.#open());
    try {
      return await handle;
    } catch (error) {
      if (this.#handle === handle) this.#handle = undefined;
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    const path = await this.#path();
    const handle = await open(path, this.#madeAt === undefined ? 'wx+' : 'r+');
    this.#madeAt = path;
    return handle;
  }
}
