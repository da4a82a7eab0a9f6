import { crc32 } from './crc32.ts';

/** The format of a record: a four-letter kind and a version. */
export interface RecordFormat {
  readonly kind: string;
  readonly version: number;
}

/** The header of a record, with a checksum that is right. */
export interface RecordHeader {
  readonly kind: string;
  readonly version: number;
  readonly payloadBytes: number;
  readonly payloadChecksum: number;
}

/**
 * The outcome of reading a record.
 * - `whole`: the payload, and the offset after it.
 * - `cut`: the bytes end before the record does, because it was not written completely.
 * - `foreign`: the bytes are not a record of this kind and version.
 * - `damaged`: the bytes were such a record, but a checksum is wrong.
 */
export type ReadRecord =
  | { readonly kind: 'whole'; readonly payload: Uint8Array; readonly end: number }
  | { readonly kind: 'cut' | 'foreign' | 'damaged'; readonly problem: string };

/**
 * A record is a header and a payload. The header is the magic, the kind (four bytes of ASCII), the version, the length
 * and the CRC-32 of the payload (32 bits each, little endian), and a CRC-32 of the header before it: every changed bit
 * is noticed, and a header that is right says where the next record begins, whatever became of the payload. This
 * constant is the length of the header.
 *
 * The checksum of the header also covers the offset of the record in its file. So a payload that holds the bytes of
 * another record is never mistaken for a record.
 */
export const recordHeaderBytes = 28;
const place = { kind: 8, version: 12, length: 16, payloadChecksum: 20, checksum: 24 } as const;

const ascii = new TextEncoder();
const magic = ascii.encode('KINTSUGI');

/** The bytes that every record of this kind begins with. */
export function recordBeginning(kind: string): Uint8Array {
  const bytes = new Uint8Array(place.version);
  bytes.set(magic);
  bytes.set(ascii.encode(kind), place.kind);
  return bytes;
}

/** Encodes `payload` as a record that begins at `offset` of its file. */
export function encodeRecord(format: RecordFormat, payload: Uint8Array, offset = 0): Uint8Array {
  return encodeRecords(format, [payload], offset);
}

/** Encodes records that lie one after the other, from `offset` of their file on. */
export function encodeRecords(
  { kind, version }: RecordFormat,
  payloads: readonly Uint8Array[],
  offset: number,
): Uint8Array {
  const beginning = recordBeginning(kind);
  const length = payloads.reduce((sum, payload) => sum + recordHeaderBytes + payload.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const payload of payloads) {
    bytes.set(beginning, at);
    view.setUint32(at + place.version, version, true);
    view.setUint32(at + place.length, payload.length, true);
    view.setUint32(at + place.payloadChecksum, crc32(payload), true);
    view.setUint32(at + place.checksum, headerChecksum(bytes.subarray(at), offset + at), true);
    bytes.set(payload, at + recordHeaderBytes);
    at += recordHeaderBytes + payload.length;
  }
  return bytes;
}

/** The header at the beginning of `bytes`, which lie at `offset` of their file; undefined unless it is whole. */
export function readRecordHeader(bytes: Uint8Array, offset = 0): RecordHeader | undefined {
  if (bytes.length < recordHeaderBytes || !begins(bytes, magic)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, recordHeaderBytes);
  if (view.getUint32(place.checksum, true) !== headerChecksum(bytes, offset)) return undefined;
  return {
    kind: String.fromCharCode(...bytes.subarray(place.kind, place.version)),
    version: view.getUint32(place.version, true),
    payloadBytes: view.getUint32(place.length, true),
    payloadChecksum: view.getUint32(place.payloadChecksum, true),
  };
}

/** Reads the record at the beginning of a file; ignores the bytes after it. */
export function readRecord(format: RecordFormat, bytes: Uint8Array): ReadRecord {
  if (!begins(bytes, recordBeginning(format.kind))) {
    return { kind: 'foreign', problem: `it does not begin like a record of kind ${format.kind}` };
  }
  if (bytes.length < recordHeaderBytes) {
    return { kind: 'cut', problem: `the header has ${bytes.length} of ${recordHeaderBytes} bytes` };
  }
  const header = readRecordHeader(bytes);
  if (header === undefined) return { kind: 'damaged', problem: 'the checksum of its header is wrong' };
  if (header.version !== format.version) {
    return { kind: 'foreign', problem: `it has format ${header.version}, expected ${format.version}` };
  }
  const end = recordHeaderBytes + header.payloadBytes;
  if (bytes.length < end) {
    return { kind: 'cut', problem: `it has ${bytes.length - recordHeaderBytes} of ${header.payloadBytes} bytes` };
  }
  const payload = bytes.subarray(recordHeaderBytes, end);
  if (crc32(payload) !== header.payloadChecksum) return { kind: 'damaged', problem: 'its checksum is wrong' };
  return { kind: 'whole', payload, end };
}

/** Whether `bytes`, as far as they go, match the beginning of `expected`. */
function begins(bytes: Uint8Array, expected: Uint8Array): boolean {
  return expected.every((byte, index) => index >= bytes.length || bytes[index] === byte);
}

function headerChecksum(header: Uint8Array, offset: number): number {
  return crc32(header.subarray(0, place.checksum), offset % 2 ** 32);
}
