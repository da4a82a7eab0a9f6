import { crc32 } from './crc32.ts';

/** The format of a record: a four-letter kind and a version. */
export interface RecordFormat {
  readonly kind: string;
  readonly version: number;
}

/**
 * The outcome of reading a record.
 * - `whole`: the payload, and the offset after it.
 * - `cut`: the bytes end before the record does, because it was not written completely.
 * - `foreign`: the bytes are not a record of this kind and version.
 * - `damaged`: the bytes were such a record, but its checksum is wrong.
 */
export type ReadRecord =
  | { readonly kind: 'whole'; readonly payload: Uint8Array; readonly end: number }
  | { readonly kind: 'cut' | 'foreign' | 'damaged'; readonly problem: string };

/**
 * A record is a header and a payload. The header is the magic, the kind (four bytes of ASCII), the version, the length
 * of the payload (32 bits each, little endian), and a CRC-32 of the header before it and of the payload: every changed
 * bit is noticed. This constant is the length of the header.
 */
const recordHeaderBytes = 24;
const place = { kind: 8, version: 12, length: 16, checksum: 20 } as const;

const ascii = new TextEncoder();
const magic = ascii.encode('KINTSUGI');

/** Encodes `payload` as a record. */
export function encodeRecord({ kind, version }: RecordFormat, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(recordHeaderBytes + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  bytes.set(ascii.encode(kind), place.kind);
  view.setUint32(place.version, version, true);
  view.setUint32(place.length, payload.length, true);
  bytes.set(payload, recordHeaderBytes);
  view.setUint32(place.checksum, checksumOf(bytes), true);
  return bytes;
}

/** Reads the record that begins at `offset`; ignores the bytes after it. */
export function readRecord(format: RecordFormat, bytes: Uint8Array, offset = 0): ReadRecord {
  const rest = bytes.subarray(offset);
  const said = ascii.encode(format.kind);
  if (!begins(rest, magic) || !begins(rest.subarray(place.kind), said)) {
    return { kind: 'foreign', problem: `it does not begin like a record of kind ${format.kind}` };
  }
  if (rest.length < recordHeaderBytes) {
    return { kind: 'cut', problem: `the header has ${rest.length} of ${recordHeaderBytes} bytes` };
  }
  const view = new DataView(rest.buffer, rest.byteOffset, recordHeaderBytes);
  const version = view.getUint32(place.version, true);
  if (version !== format.version) {
    return { kind: 'foreign', problem: `it has format ${version}, expected ${format.version}` };
  }
  const end = recordHeaderBytes + view.getUint32(place.length, true);
  if (rest.length < end) {
    return { kind: 'cut', problem: `it has ${rest.length - recordHeaderBytes} of ${end - recordHeaderBytes} bytes` };
  }
  const record = rest.subarray(0, end);
  if (view.getUint32(place.checksum, true) !== checksumOf(record)) {
    return { kind: 'damaged', problem: 'its checksum is wrong' };
  }
  return { kind: 'whole', payload: record.subarray(recordHeaderBytes), end: offset + end };
}

/** Whether `bytes`, as far as they go, match the beginning of `expected`. */
function begins(bytes: Uint8Array, expected: Uint8Array): boolean {
  return expected.every((byte, index) => index >= bytes.length || bytes[index] === byte);
}

function checksumOf(record: Uint8Array): number {
  return crc32(record.subarray(recordHeaderBytes), crc32(record.subarray(0, place.checksum)));
}
