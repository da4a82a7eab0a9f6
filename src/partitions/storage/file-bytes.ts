import type { FileHandle } from 'node:fs/promises';

/** The most bytes that are read or written at once: past 2 GiB a call fails, or answers a negative number. */
const mostAtOnce = 256 * 1_024 * 1_024;

/** The most chunks of one write. */
const mostChunks = 1_024;

/** Reads so many bytes from a position; fewer if the file ends before. */
export async function readFully(
  file: Pick<FileHandle, 'read'>,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, await readInto(file, position, bytes));
}

/** Fills `bytes` from a position of a file, as far as it goes. Returns how many there were. */
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
 * Writes chunks one after the other from a position on, all of them: a disk that is nearly full takes a part, and writing
 * the rest says why.
 *
 * @throws Error where some bytes are not taken
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
    if (bytesWritten <= 0) throw new Error(`${rest.length} bytes were not taken`);
    rest.drop(bytesWritten);
    at += bytesWritten;
  }
}

/** What is still to be written of some chunks. */
class Rest {
  readonly #chunks: readonly Uint8Array[];
  #first = 0;
  /** Bytes of the first chunk that are written. */
  #written = 0;

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = chunks;
  }

  get length(): number {
    return this.#chunks.slice(this.#first).reduce((sum, { length }) => sum + length, -this.#written);
  }

  /** As much of it as one write may take; nothing at the end. */
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
