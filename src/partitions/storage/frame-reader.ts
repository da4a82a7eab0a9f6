import type { FileHandle } from 'node:fs/promises';
import { frameHeaderBytes, readFrameHeader } from '../records/element-codec.ts';
import { readInto } from './file-bytes.ts';

/** What frames are read from. */
export type ReadableFile = Pick<FileHandle, 'read'>;

/** Bytes that are read at once, unless one frame alone is longer. */
const chunkBytes = 1 << 18;

const nothing = new Uint8Array();

/**
 * The frames between two offsets of a file, in order, each a part of what was read.
 * @throws Error if the last is not whole, or the file ends before
 */
export async function* framesOf(file: ReadableFile, from: number, end: number): AsyncGenerator<Uint8Array> {
  let held = nothing;
  let at = from;
  while (at < end || held.length > 0) {
    if (at < end) {
      const length = Math.min(Math.max(chunkBytes, missingOf(held)), end - at);
      held = await readRange(file, at, length, held);
      at += length;
    }
    let taken = 0;
    for (;;) {
      const rest = held.subarray(taken);
      if (rest.length === 0) break;
      if (at < end && rest.length < frameHeaderBytes) break;
      const { frameBytes } = readFrameHeader(rest);
      if (frameBytes > rest.length) {
        if (at >= end) throw new Error(`a batch ends ${frameBytes - rest.length} bytes too early`);
        break;
      }
      yield rest.subarray(0, frameBytes);
      taken += frameBytes;
    }
    held = held.subarray(taken);
  }
}

/** Reads exactly so many bytes; what is `before` them, if anything, is put in front. */
export async function readRange(
  file: ReadableFile,
  offset: number,
  length: number,
  before = nothing,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(before.length + length);
  bytes.set(before);
  const read = await readInto(file, offset, bytes.subarray(before.length));
  if (read < length) throw new Error(`the file ends ${length - read} bytes too early`);
  return bytes;
}

/** Bytes of the first frame that are not held. */
function missingOf(held: Uint8Array): number {
  return held.length < frameHeaderBytes ? 0 : readFrameHeader(held).frameBytes - held.length;
}
