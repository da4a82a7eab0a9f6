import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import type { JournalFile, JournalStorage, LogBytes } from '../../src/journal/journal-storage.ts';
import type { SeededRandom } from '../../src/testing/seeded-random.ts';

/** Bytes that a disk writes at once. */
const blockBytes = 512;

/** The content of a file: as the operating system has it, and as far as it is on the disk. */
interface Content {
  bytes: Uint8Array;
  synced: Uint8Array;
}

type Directory = Map<string, Content>;

export interface PowerLossOptions {
  /**
   * Whether any block that was not synced may be lost, also before one that was written. Otherwise the blocks were
   * written in order, so that a part of the end is lost. Default false.
   */
  readonly holes?: boolean;
}

/**
 * Logs in memory, for tests of what survives: a process that dies in the middle of any operation
 * ({@link MemoryJournalStorage.killAfter}), a power loss that takes what was not synced, and a full disk.
 */
export class MemoryJournalStorage implements JournalStorage {
  readonly #files: Directory;
  /** The directory as the disk has it, and the changes since then, in order. */
  readonly #syncedFiles: Directory;
  #changes: ((files: Directory) => void)[] = [];
  /** Bytes that fit on the disk. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** How many of the next syncs fail. */
  failingSyncs = 0;
  /** Syncs of files. */
  syncs = 0;
  #operationsLeft = Number.POSITIVE_INFINITY;
  #random: SeededRandom | undefined;

  /** @param contents the files at the beginning, by name; all of them are synced */
  constructor(contents: ReadonlyMap<string, Uint8Array> = new Map()) {
    const files = [...contents].map(
      ([name, bytes]) => [name, { bytes: bytes.slice(), synced: bytes.slice() }] as const,
    );
    this.#files = new Map(files);
    this.#syncedFiles = new Map(files);
  }

  /** The content of a file; undefined if there is none. A test may change its bytes. */
  contentOf(name: string): Uint8Array | undefined {
    return this.#files.get(name)?.bytes;
  }

  /** Lets the process die during the operation after the next `count` ones: half of it is done, and all later ones throw. */
  killAfter(count: number, random: SeededRandom): void {
    this.#operationsLeft = count;
    this.#random = random;
  }

  /** What the next process finds after this one has died. */
  afterKill(): MemoryJournalStorage {
    return new MemoryJournalStorage(new Map([...this.#files].map(([name, { bytes }]) => [name, bytes])));
  }

  /** What the next process finds after a power loss. */
  afterPowerLoss(random: SeededRandom, { holes = false }: PowerLossOptions = {}): MemoryJournalStorage {
    const files = new Map(this.#syncedFiles);
    for (const change of this.#changes.slice(0, random.integer(0, this.#changes.length))) change(files);
    return new MemoryJournalStorage(
      new Map([...files].map(([name, content]) => [name, survivorOf(content, random, holes)])),
    );
  }

  pathOf(name: string): string {
    return `memory/${name}`;
  }

  list(): string[] {
    return [...this.#files.keys()];
  }

  open(name: string): JournalFile {
    this.#begin();
    let content = this.#files.get(name);
    if (content === undefined) {
      const created = { bytes: new Uint8Array(), synced: new Uint8Array() };
      this.#change((files) => files.set(name, created));
      content = created;
    }
    return this.#opened(name, content);
  }

  openToRead(name: string): LogBytes | undefined {
    this.#begin();
    const content = this.#files.get(name);
    return content && this.#opened(name, content);
  }

  async syncFile(name: string): Promise<void> {
    const content = this.#files.get(name);
    if (content !== undefined) await this.#opened(name, content).sync();
  }

  rename(from: string, to: string): void {
    this.#begin();
    const content = this.#files.get(from);
    if (content === undefined) throw new Error(`there is no ${from}`);
    this.#change((files) => {
      files.delete(from);
      files.set(to, content);
    });
  }

  async unlink(name: string): Promise<boolean> {
    await Promise.resolve();
    const wasThere = this.#files.has(name);
    this.remove(name);
    return wasThere;
  }

  remove(name: string): void {
    this.#begin();
    if (this.#files.has(name)) this.#change((files) => files.delete(name));
  }

  async syncDirectory(): Promise<void> {
    this.#begin();
    const changes = this.#changes.length;
    await Promise.resolve();
    for (const change of this.#changes.splice(0, changes)) change(this.#syncedFiles);
  }

  #opened(name: string, content: Content): JournalFile {
    return {
      path: this.pathOf(name),
      size: () => content.bytes.length,
      read: (offset, length) => content.bytes.slice(offset, offset + length),
      readInto: (into, offset, length) => {
        const bytes = content.bytes.subarray(offset, offset + length);
        into.set(bytes);
        return bytes.length;
      },
      write: (offset, bytes) => this.#write(content, offset, bytes),
      truncate: (size) => {
        this.#begin();
        content.bytes = content.bytes.slice(0, size);
      },
      sync: async () => {
        this.#begin();
        this.syncs++;
        const { bytes } = content;
        await Promise.resolve();
        if (this.failingSyncs-- > 0) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
        content.synced = bytes;
      },
      close: () => {},
    };
  }

  #write(content: Content, offset: number, bytes: Uint8Array): void {
    const killedAt = this.#begin(() => this.#random?.integer(0, bytes.length));
    const used = [...this.#files.values()].reduce((sum, file) => sum + file.bytes.length, 0);
    const fitting = Math.max(0, Math.min(bytes.length, this.capacityBytes - used));
    const written = bytes.subarray(0, killedAt ?? fitting);
    const after = new Uint8Array(Math.max(content.bytes.length, offset + written.length));
    after.set(content.bytes);
    after.set(written, offset);
    content.bytes = after;
    if (killedAt !== undefined) throw killed();
    if (fitting < bytes.length) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  }

  #change(change: (files: Directory) => void): void {
    change(this.#files);
    this.#changes.push(change);
  }

  /** Counts an operation. What the process does in its last one: nothing, or what `last` says. */
  #begin<Last = undefined>(last?: () => Last): Last | undefined {
    this.#operationsLeft--;
    if (this.#operationsLeft >= 0) return undefined;
    if (this.#operationsLeft === -1 && last !== undefined) return last();
    throw killed();
  }
}

function killed(): IllegalStateError {
  return new IllegalStateError('The process was killed');
}

/** The bytes of a file after a power loss. */
function survivorOf({ bytes, synced }: Content, random: SeededRandom, holes: boolean): Uint8Array {
  const isLonger = bytes.length >= synced.length && synced.every((byte, index) => byte === bytes[index]);
  // A file that was cut and written anew is one or the other.
  if (!isLonger) return random.chance(0.5) ? synced : bytes;
  const survivor = bytes.slice(0, random.integer(synced.length, bytes.length));
  const firstBlock = Math.floor(synced.length / blockBytes);
  for (let block = firstBlock; block * blockBytes < survivor.length; block++) {
    const isLast = (block + 1) * blockBytes >= survivor.length;
    if ((holes || isLast) && random.chance(0.5)) {
      survivor.fill(0, Math.max(synced.length, block * blockBytes), (block + 1) * blockBytes);
    }
  }
  return survivor;
}
