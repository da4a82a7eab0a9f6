/** The CRC of each byte that stands `n` bytes before the end, at `n * 256 + byte`: four bytes are looked up at once. */
const table = makeTable();

/**
 * The CRC-32 of `bytes` (as in zip and zlib), or of those from `start` to `end`. `before` is the CRC of the preceding
 * bytes.
 */
export function crc32(bytes: Uint8Array, before = 0, start = 0, end = bytes.length): number {
  let crc = ~before;
  let at = start;
  for (const last = end - 3; at < last; at += 4) {
    crc ^=
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
    crc =
      (table[768 + (crc & 0xff)] as number) ^
      (table[512 + ((crc >>> 8) & 0xff)] as number) ^
      (table[256 + ((crc >>> 16) & 0xff)] as number) ^
      (table[crc >>> 24] as number);
  }
  for (; at < end; at++) crc = (table[(crc ^ byteAt(bytes, at)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function makeTable(): Int32Array {
  const made = new Int32Array(4 * 256);
  for (let at = 0; at < made.length; at++) {
    let crc = at < 256 ? at : (made[at - 256] as number);
    if (at < 256) for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    else crc = (made[crc & 0xff] as number) ^ (crc >>> 8);
    made[at] = crc;
  }
  return made;
}
