import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { FileAccessError, type InputChange, InputChangedError } from '../../errors/connector-errors.ts';
import { fileProblem } from '../file-problem.ts';

const sampleBytes = 64 * 1024;

/** Whether two states of a file have the same content, as far as that is known. */
export function isSameContent(before: FixedFile, now: FixedFile): boolean {
  const isSampledAlike = before.end === now.end && before.head === now.head && before.tail === now.tail;
  return isSampledAlike && (isSampledWhole(now) || before.modifiedMs === now.modifiedMs);
}

/** Whether the samples of a file with so many bytes are all of it. */
function isSampledWhole({ end }: FixedFile): boolean {
  return end <= 2 * sampleBytes;
}

/** Opening a pipe fails at once ("not a file") instead of waiting for a writer. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** A file as it was when a run began: how much of it to read, and how to detect a change. Plain data. */
export interface FixedFile {
  readonly path: string;
  /** Number of bytes to read. Bytes appended later belong to the next run. */
  readonly end: number;
  /** Last modification, in ms since 1970. */
  readonly modifiedMs: number;
  /** SHA-256 of the first 64 KiB before `end`. */
  readonly head: string;
  /** SHA-256 of the last 64 KiB before `end`. */
  readonly tail: string;
}

/** Fixes the file at `path` as it is now. Also returns its first bytes, which tell its format. */
export async function fixFile(path: string): Promise<{ readonly file: FixedFile; readonly firstBytes: Buffer }> {
  return withHandle(path, async (handle) => {
    // Before the bytes, so that a write in between shows as a later change.
    const { size, mtimeMs } = await statOf(handle, path);
    const samples = await readSamples(handle, size);
    if (samples === undefined || (await isLonger(handle, size))) await refuseIfUntrue(handle, path, size);
    if (samples === undefined) {
      throw new InputChangedError(path, 'shorter', `it became shorter than ${size} bytes while it was examined`);
    }
    const file = { path, end: size, modifiedMs: mtimeMs, head: hashOf(samples.head), tail: hashOf(samples.tail) };
    return { file, firstBytes: samples.head };
  });
}

/**
 * A fixed file, open for reading up to its fixed end.
 *
 * The file is compared with its fixed state when it is opened, and again by its reader (`verify`) before that reports
 * the end; the bytes read in between are then the fixed content. A change in the middle shows only in the modification
 * time, so it goes unnoticed if the file was appended to as well.
 */
export class OpenFile {
  readonly file: FixedFile;
  readonly #handle: FileHandle;
  /** Last modification, in ms since 1970, when it was opened. */
  #openedMs: number | undefined;

  private constructor(file: FixedFile, handle: FileHandle) {
    this.file = file;
    this.#handle = handle;
  }

  /**
   * @throws InputChangedError if the file has changed since it was fixed
   * @throws FileAccessError if the file cannot be read
   */
  static async open(file: FixedFile): Promise<OpenFile> {
    return withHandle(
      file.path,
      async (handle) => {
        const opened = new OpenFile(file, handle);
        await opened.verify();
        return opened;
      },
      'keep open',
    );
  }

  /** Reads into `buffer` from `position`, as much as fits, up to the end. Returns 0 only at the end. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    const { path, end } = this.file;
    const length = Math.min(buffer.length, end - position);
    if (length <= 0) return 0;
    try {
      const { bytesRead } = await this.#handle.read(buffer, 0, length, position);
      if (bytesRead === 0) throw await this.#shorter();
      return bytesRead;
    } catch (error) {
      throw fileProblem(path, 'read', error);
    }
  }

  /** The first `length` bytes appended since the file was fixed, or fewer. */
  async appended(length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#handle.read(buffer, 0, length, this.file.end);
    return buffer.subarray(0, bytesRead);
  }

  /**
   * Appended bytes are ignored, and so is a later time of modification if all bytes were compared and it was that when
   * the file was opened.
   * @throws InputChangedError if the file has changed since it was fixed
   */
  async verify(): Promise<void> {
    const { path, end, modifiedMs, head, tail } = this.file;
    const change = (what: InputChange, details: string): InputChangedError =>
      new InputChangedError(path, what, details);
    try {
      const { size, mtimeMs, mtime } = await statOf(this.#handle, path);
      const samples = size < end ? undefined : await readSamples(this.#handle, end);
      if (samples === undefined) throw await this.#shorter();
      if (hashOf(samples.head) !== head) throw change('beginning differs', 'its first 64 KiB differ');
      if (hashOf(samples.tail) !== tail) throw change('end differs', `the 64 KiB before byte ${end} differ`);
      this.#openedMs ??= isSampledWhole(this.file) ? mtimeMs : modifiedMs;
      if (size === end && mtimeMs !== this.#openedMs) {
        throw change('written to', `it still has ${end} bytes, but was written to at ${mtime.toISOString()}`);
      }
    } catch (error) {
      throw fileProblem(path, 'read', error);
    }
  }

  /** Verifies that a last line without a newline was not continued: appended bytes must begin with a newline. */
  async verifyOpenLine(): Promise<void> {
    const { end } = this.file;
    const last = Buffer.alloc(1);
    if (end === 0 || (await this.read(last, end - 1)) === 0 || last[0] === 0x0a || last[0] === 0x0d) return;
    await this.verifyLastLine();
  }

  /** @throws InputChangedError if the last line, which has no newline, was continued */
  async verifyLastLine(): Promise<void> {
    const next = await this.appended(2);
    if (next.length === 0 || next[0] === 0x0a || (next[0] === 0x0d && next[1] === 0x0a)) return;
    const { path, end } = this.file;
    throw new InputChangedError(
      path,
      'last line continued',
      `its last line ended at byte ${end} without a newline, and was continued`,
    );
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #shorter(): Promise<InputChangedError> {
    const { path, end } = this.file;
    const { size } = await this.#handle.stat();
    return new InputChangedError(path, 'shorter', `it had ${end} bytes, now it has ${size}`);
  }
}

/** Opens a file for `action` and closes it afterwards. */
async function withHandle<Value>(
  path: string,
  action: (handle: FileHandle) => Promise<Value>,
  afterwards: 'close' | 'keep open' = 'close',
): Promise<Value> {
  let handle: FileHandle | undefined;
  let isKept = false;
  try {
    handle = await open(path, flags);
    const value = await action(handle);
    isKept = afterwards === 'keep open';
    return value;
  } catch (error) {
    throw fileProblem(path, 'read', error);
  } finally {
    if (!isKept) await handle?.close();
  }
}

async function statOf(handle: FileHandle, path: string): Promise<Stats> {
  const stat = await handle.stat();
  if (!stat.isFile()) throw new FileAccessError(path, 'cannot read: not a file', { recovery: 'never' });
  return stat;
}

/** Whether the file has more than `size` bytes. */
async function isLonger(handle: FileHandle, size: number): Promise<boolean> {
  return (await handle.read(Buffer.allocUnsafe(1), 0, 1, size)).bytesRead > 0;
}

/**
 * Checks a file whose content did not match its reported `size`.
 * @throws FileAccessError if the size is still reported so: generated files, such as those in /proc, have no true size
 */
async function refuseIfUntrue(handle: FileHandle, path: string, size: number): Promise<void> {
  if ((await statOf(handle, path)).size !== size) return;
  throw new FileAccessError(
    path,
    `cannot read: its reported size, ${size} bytes, is not its real one, as with generated files (/proc, /sys, some mounts). Copy it first, or read it as a stream: \`fromNodeStream\` with \`decode\``,
    { recovery: 'never' },
  );
}

/** The first bytes of the file and the last ones before `end`; undefined if the file has become shorter. */
async function readSamples(handle: FileHandle, end: number): Promise<{ head: Buffer; tail: Buffer } | undefined> {
  const length = Math.min(sampleBytes, end);
  const head = await readExactly(handle, length, 0);
  const tail = end <= sampleBytes ? head : await readExactly(handle, length, end - length);
  return head && tail && { head, tail };
}

async function readExactly(handle: FileHandle, length: number, position: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await handle.read(bytes, read, length - read, position + read);
    if (bytesRead === 0) return undefined;
    read += bytesRead;
  }
  return bytes;
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
