import { type FileHandle, open, rm } from 'node:fs/promises';

/** Maximum idle files that stay open. */
const mostIdle = 64;

/** Maximum files in use at once, because thousands of partitions must not need thousands of open files. */
const mostBusy = 32;

/**
 * Maximum syncs at once. They run on libuv's threads (four, unless UV_THREADPOOL_SIZE says otherwise), which also read,
 * write and open files: a restarting task must not wait behind all pending syncs.
 */
const mostSyncing = 2;

/** Limits how many files are open, and how many syncs run at once. */
export class FilePool {
  /** Idle open files, the one idle for longest first. */
  readonly #idle = new Set<PooledFile>();
  readonly #busy = new Turns(mostBusy);
  readonly #syncing = new Turns(mostSyncing);

  /** Adds a file that does not exist yet; `path` is called when it is opened. */
  add(path: () => Promise<string>): PooledFile {
    return new PooledFile(this, path);
  }

  /** Adds a file that another process has created, at `path`. It is deleted like one of this process. */
  adopt(path: string): PooledFile {
    return new PooledFile(this, () => Promise.resolve(path), path);
  }

  /** Runs `work` once the number of users is below the limit. */
  turn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#busy.take(work);
  }

  /** Runs `work`, a sync, once the number of syncs is below the limit. */
  syncTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#syncing.take(work);
  }

  noteBusy(file: PooledFile): void {
    this.#idle.delete(file);
  }

  /** Closes the file that has been idle for longest if there are too many. */
  async noteIdle(file: PooledFile): Promise<void> {
    this.#idle.add(file);
    if (this.#idle.size <= mostIdle) return;
    const [longest] = this.#idle;
    await longest?.close();
  }
}

/** A semaphore: lets some work run at once, the rest in order of arrival. */
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

/** A promise, and what settles it. */
interface Deferred {
  readonly done: Promise<void>;
  readonly settle: () => void;
}

function deferred(): Deferred {
  let settle: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { done, settle };
}

/**
 * A file that is created and opened on use, and closed when other files need its handle.
 *
 * Invariants:
 * - PF1 Its handle is closed only while it is unused: one that is closed during its use, after it.
 * - PF2 A removed file disappears after its last use, and every use under way ends with an error.
 * - PF3 It deletes only a file that it created or adopted.
 */
export class PooledFile {
  readonly #pool: FilePool;
  readonly #path: () => Promise<string>;
  /** The path at which it was created. */
  #madeAt: string | undefined;
  #handle: Promise<FileHandle> | undefined;
  /** The handle, once it is open. */
  #opened: FileHandle | undefined;
  #closing: Promise<void> = Promise.resolve();
  /** Asked for during its use. */
  #closingAfterUse: Deferred | undefined;
  /** Uses that run or wait. */
  #uses = 0;
  /** Uses that run. */
  #active = 0;
  #removal: Deferred | undefined;

  /** @param existing the path of a file that already exists */
  constructor(pool: FilePool, path: () => Promise<string>, existing?: string) {
    this.#pool = pool;
    this.#path = path;
    this.#madeAt = existing;
  }

  get isRemoved(): boolean {
    return this.#removal !== undefined;
  }

  /** Runs `work` with the open file: on this stack, if it is open and a turn is free. */
  use<Result>(work: (handle: FileHandle) => Promise<Result>): Promise<Result> {
    return this.#during(async () => work(this.#opened ?? (await this.#untilOpen())));
  }

  /**
   * Runs `work` with the file now at its path, which may differ from the open one. The file must have been used before.
   */
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

  /** Closes the handle, after the uses that run; the next use opens it again. */
  close(): Promise<void> {
    if (this.#active > 0) return (this.#closingAfterUse ??= deferred()).done;
    this.#pool.noteBusy(this);
    const handle = this.#handle;
    this.#handle = this.#opened = undefined;
    this.#closing = this.#closing.then(async () => {
      await handle?.then((opened) => opened.close()).catch(() => {});
    });
    return this.#closing;
  }

  /** Deletes the file. Settles once it is deleted and its handle closed. */
  remove(): Promise<void> {
    if (this.#removal !== undefined) return this.#removal.done;
    const { done } = (this.#removal = deferred());
    if (this.#uses === 0) void this.#disappear();
    return done;
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
    const closing = this.#active === 0 ? this.#closingAfterUse : undefined;
    if (closing !== undefined) {
      this.#closingAfterUse = undefined;
      await this.close();
      closing.settle();
    }
    if (this.#removal !== undefined && this.#uses === 0) await this.#disappear();
    else if (this.#active === 0 && this.#handle !== undefined) await this.#pool.noteIdle(this);
  }

  async #untilOpen(): Promise<FileHandle> {
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
    this.#opened = handle;
    return handle;
  }
}
