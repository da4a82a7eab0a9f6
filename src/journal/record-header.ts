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

/** What records begin with, by their kinds, of which there are few. */
const beginnings = new Map<string, Uint8Array>();

/** The bytes that every record of this kind begins with, which nobody may change. */
export function recordBeginning(kind: string): Uint8Array {
  const known = beginnings.get(kind);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(place.version);
  bytes.set(magic);
  bytes.set(ascii.encode(kind), place.kind);
  beginnings.set(kind, bytes);
  return bytes;
}

/** Encodes `payload` as a record that begins at `offset` of its file. @param crc a faster {@link crc32} */
export function encodeRecord(format: RecordFormat, payload: Uint8Array, offset = 0, crc = crc32): Uint8Array {
  return encodeRecords(format, [payload], offset, crc);
}

/** Encodes records that lie one after the other, from `offset` of their file on. @param crc a faster {@link crc32} */
export function encodeRecords(
  format: RecordFormat,
  payloads: readonly Uint8Array[],
  offset: number,
  crc = crc32,
): Uint8Array {
  let length = 0;
  for (const payload of payloads) length += recordHeaderBytes + payload.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const payload of payloads) {
    bytes.set(payload, at + recordHeaderBytes);
    putRecordHeader(format, bytes, at, payload.length, offset + at, crc);
    at += recordHeaderBytes + payload.length;
  }
  // Not the buffer itself, whose `slice` does not copy.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}

/** Writes the header, at `start` of `bytes`, of a record whose payload is there, and which lies at `offset` of its file. */
export function putRecordHeader(
  { kind, version }: RecordFormat,
  bytes: Uint8Array,
  start: number,
  payloadBytes: number,
  offset: number,
  crc = crc32,
): void {
  const beginning = recordBeginning(kind);
  for (let index = 0; index < beginning.length; index++) bytes[start + index] = beginning[index] as number;
  const payload = start + recordHeaderBytes;
  putWord(bytes, start + place.version, version);
  putWord(bytes, start + place.length, payloadBytes);
  putWord(bytes, start + place.payloadChecksum, crc(bytes, 0, payload, payload + payloadBytes));
  putWord(bytes, start + place.checksum, headerChecksum(bytes, start, offset));
}

/**
 * The header at `start` of `bytes`, which lies at `offset` of its file; undefined unless it is whole.
 */
export function readRecordHeader(bytes: Uint8Array, offset = 0, start = 0): RecordHeader | undefined {
  if (bytes.length - start < recordHeaderBytes || !begins(bytes, magic, start)) return undefined;
  if (wordAt(bytes, start + place.checksum) !== headerChecksum(bytes, start, offset)) return undefined;
  return {
    kind: kindAt(bytes, start + place.kind),
    version: wordAt(bytes, start + place.version),
    payloadBytes: wordAt(bytes, start + place.length),
    payloadChecksum: wordAt(bytes, start + place.payloadChecksum),
  };
}

/**
 * Whether the payload of the record at `start` of `bytes` is so long, and as it was written. The header itself is not checked:
 * who knows where the record lies needs no more of it, if the payload says which one it is.
 */
export function isWholePayload(bytes: Uint8Array, start: number, payloadBytes: number): boolean {
  if (wordAt(bytes, start + place.length) !== payloadBytes) return false;
  const payload = start + recordHeaderBytes;
  return wordAt(bytes, start + place.payloadChecksum) === crc32(bytes, 0, payload, payload + payloadBytes);
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

/** Whether `bytes` from `start` on, as far as they go, match the beginning of `expected`. */
function begins(bytes: Uint8Array, expected: Uint8Array, start = 0): boolean {
  const length = Math.min(bytes.length - start, expected.length);
  for (let index = 0; index < length; index++) if (bytes[start + index] !== expected[index]) return false;
  return true;
}

/** Most headers are of the kind of the one before. */
const latestKind = { word: 0, text: '' };

function kindAt(bytes: Uint8Array, at: number): string {
  const word = wordAt(bytes, at);
  if (word !== latestKind.word || latestKind.text === '') Object.assign(latestKind, { word, text: textAt(bytes, at) });
  return latestKind.text;
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = at + place.version - place.kind;
  let kind = '';
  for (let index = at; index < end; index++) kind += String.fromCharCode(bytes[index] as number);
  return kind;
}

/** A number of 32 bits, little endian; cheaper than a `DataView` for each record. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** Writes the lower 32 bits of a number, little endian. */
export function putWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

/** Of the header at `start` of `bytes`, which is at `offset` of its file. */
function headerChecksum(bytes: Uint8Array, start: number, offset: number): number {
  return crc32(bytes, offset % 2 ** 32, start, start + place.checksum);
}
