import type { FileHandle } from 'node:fs/promises';

/** Maximum bytes per read or write call: past 2 GiB a call fails, or returns a negative number. */
const mostAtOnce = 256 * 1_024 * 1_024;

/** Maximum chunks per write. */
const mostChunks = 1_024;

/** Reads up to `length` bytes from a position; fewer only if the file ends. */
export async function readFully(
  file: Pick<FileHandle, 'read'>,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // Bytes that were not read are not returned, so they need not be zero.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  return bytes.subarray(0, await readInto(file, position, bytes));
}

/** Fills `bytes` from a position of a file, as far as the file goes. Returns the number of bytes read. */
export async function readInto(file: Pick<FileHandle, 'read'>, position: number, bytes: Uint8Array): Promise<number> {
  let read = 0;
  while (read < bytes.length) {
    const length = Math.min(bytes.length - read, mostAtOnce);
    const { bytesRead } = await file.read(bytes, read, length, position + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return read;
}

/**
 * Writes all chunks from a position on. A nearly full disk accepts a part; writing the rest then fails with the reason.
 *
 * @throws Error if some bytes were not written
 */
export async function writeFully(
  file: Pick<FileHandle, 'writev'>,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<void> {
  const rest = new Rest(chunks);
  let at = position;
  for (let some = rest.next(); some.length > 0; some = rest.next()) {
    const { bytesWritten } = await file.writev(some, at);
    if (bytesWritten <= 0) throw new Error(`${rest.length} bytes were not written`);
    rest.drop(bytesWritten);
    at += bytesWritten;
  }
}

/** The unwritten rest of some chunks. */
class Rest {
  readonly #chunks: readonly Uint8Array[];
  #first = 0;
  /** Bytes of the first chunk already written. */
  #written = 0;

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  get length(): number {
    return this.#chunks.slice(this.#first).reduce((sum, { length }) => sum + length, -this.#written);
  }

  /** The chunks for the next write; empty at the end. */
  next(): Uint8Array[] {
    const some: Uint8Array[] = [];
    let left = mostAtOnce;
    for (let at = this.#first; at < this.#chunks.length && some.length < mostChunks && left > 0; at++) {
      const from = at === this.#first ? this.#written : 0;
      const part = (this.#chunks[at] as Uint8Array).subarray(from, from + left);
      if (part.length > 0) some.push(part);
      left -= part.length;
    }
    return some;
  }

  drop(count: number): void {
    this.#written += count;
    for (;;) {
      const { length = Number.POSITIVE_INFINITY } = this.#chunks[this.#first] ?? {};
      if (this.#written < length) return;
      this.#written -= length;
      this.#first++;
    }
  }
}
