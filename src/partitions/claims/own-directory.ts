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

// Windows has none but the first; what is undefined adds nothing.
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * A real directory that belongs to this user, whatever its name says: no link, and nobody else's. It is held open, so that
 * where the system allows it (Linux) everything happens in this directory, even if another one gets its name meanwhile;
 * elsewhere its name is looked at again before each use.
 *
 * Nothing here waits for anybody: a pipe is not opened, a device neither.
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

  /** The directory at `path`; undefined where there is none of ours. Has to be closed. */
  static open(path: string): OwnDirectory | undefined {
    let descriptor: number | undefined;
    try {
      if (process.platform !== 'win32') descriptor = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
      const identity = descriptor === undefined ? lstatSync(path) : fstatSync(descriptor);
      if (identity.isDirectory() && isOurs(identity)) return new OwnDirectory(path, descriptor, identity);
    } catch {
      // Not there, not ours to open, or no directory.
    }
    if (descriptor !== undefined) closeSync(descriptor);
    return undefined;
  }

  /** Path of an entry. @throws Error where the directory has lost its name, and there is no other way into it */
  at(name: string): string {
    if (this.#base !== undefined) return join(this.#base, name);
    if (!isSame(lstatSync(this.#path), this.#identity)) throw new Error(`${this.#path} is another directory now`);
    return join(this.#path, name);
  }

  names(): string[] {
    return readdirSync(this.at('.'));
  }

  /** The bytes of a regular file of ours that is no longer than `mostBytes`; undefined for anything else. */
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
  // Windows has no such numbers.
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
