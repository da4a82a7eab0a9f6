import { crc32 as nativeCrc32 } from 'node:zlib';
import { crc32 as crc32OfFew } from '../../journal/crc32.ts';

/** Below this length, a call of native code costs more than the checksum. */
const fewBytes = 256;

/** As `crc32` of the journal; four times as fast for a thousand bytes. */
export function crc32(bytes: Uint8Array, before = 0, start = 0, end = bytes.length): number {
  if (end - start < fewBytes) return crc32OfFew(bytes, before, start, end);
  return nativeCrc32(bytes.subarray(start, end), before);
}
