import type { FileHandle } from 'node:fs/promises';
import { frameHeaderBytes, readFrameHeader } from '../records/element-codec.ts';
import { readInto } from './file-bytes.ts';

/** A file to read frames from. */
export type ReadableFile = Pick<FileHandle, 'read'>;

/** Bytes per read, unless a single frame is longer. */
const chunkBytes = 1 << 18;

const nothing = new Uint8Array();

/**
 * The frames between two offsets of a file, in order. Each is a view of the bytes read.
 * @throws Error if the last frame is incomplete, or the file ends early
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

/** Reads exactly `length` bytes and prepends `before`. */
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

/** Number of missing bytes of the first frame. */
function missingOf(held: Uint8Array): number {
  return held.length < frameHeaderBytes ? 0 : readFrameHeader(held).frameBytes - held.length;
}
