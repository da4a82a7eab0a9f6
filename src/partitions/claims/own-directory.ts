import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join } from 'node:path';

// Windows has only the first of these; undefined adds no bits.
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * A real directory (not a link) that belongs to this user. It stays open, so that on Linux all operations reach this
 * directory even if another one takes its name; on other systems its name is checked before each use.
 *
 * Never blocks: pipes and devices are not opened.
 */
export class OwnDirectory {
  readonly #path: string;
  /** Undefined on Windows, where directories are not opened. */
  readonly #descriptor: number | undefined;
  readonly #identity: Stats;
  readonly #base: string | undefined;

  private constructor(path: string, descriptor: number | undefined, identity: Stats) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#identity = identity;
    const base = `/proc/self/fd/${descriptor}`;
    const isReachable = descriptor !== undefined && process.platform === 'linux' && isSame(statOf(base), identity);
    this.#base = isReachable ? base : undefined;
  }

  /** Opens the directory at `path`; undefined if it does not exist or is not ours. The caller must close it. */
  static open(path: string): OwnDirectory | undefined {
    let descriptor: number | undefined;
    try {
      if (process.platform !== 'win32') descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
      const identity = descriptor === undefined ? lstatSync(path) : fstatSync(descriptor);
      if (identity.isDirectory() && isOurs(identity)) return new OwnDirectory(path, descriptor, identity);
    } catch {
      // Missing, not accessible, or not a directory.
    }
    if (descriptor !== undefined) closeSync(descriptor);
    return undefined;
  }

  /** Path of an entry. @throws Error if another directory has taken the name, and the system offers no other way in */
  at(name: string): string {
    if (this.#base !== undefined) return join(this.#base, name);
    if (!isSame(lstatSync(this.#path), this.#identity))
      throw new Error(`${this.#path} was replaced by another directory`);
    return join(this.#path, name);
  }

  names(): string[] {
    return readdirSync(this.at('.'));
  }

  /** The content of a regular file that is ours and has at most `mostBytes`; otherwise undefined. */
  read(name: string, mostBytes: number): Uint8Array | undefined {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(this.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const about = fstatSync(descriptor);
      if (!about.isFile() || !isOurs(about) || about.size > mostBytes) return undefined;
      const bytes = new Uint8Array(about.size);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
    } catch {
      return undefined;
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}

function isOurs({ uid }: Stats): boolean {
  // Windows has no user ids.
  return process.geteuid === undefined || uid === process.geteuid();
}

function isSame(found: Stats | undefined, expected: Stats): boolean {
  return found !== undefined && found.dev === expected.dev && found.ino === expected.ino;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
