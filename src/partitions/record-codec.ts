import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { RecordNotSerializableError, toError } from '../errors.ts';
import { escapeRecords, unescapeRecords } from './escape-records.ts';
import { areUsual } from './plain-data.ts';
import type { Batch } from './stream-element.ts';

/**
 * A frame is a CRC32 of all that follows it, the length of the payload, the number of records (32 bits each, little
 * endian), the format of the payload (one byte), and the payload.
 */
const headerBytes = 13;
const place = { checksum: 0, length: 4, count: 8, format: 12 } as const;

/** The records as they are, or escaped where msgpack would change them. */
const plain = 0;
const escaped = 1;

const packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true });

/**
 * A batch as one frame of bytes. What comes back equals what went in.
 *
 * @throws RecordNotSerializableError for what is not plain data.
 */
export function encodeBatch(records: Batch): Uint8Array {
  const format = areUsual(records) ? plain : escaped;
  const payload = pack(format === plain ? records : escapeRecords(records));
  const frame = new Uint8Array(headerBytes + payload.length);
  const header = new DataView(frame.buffer, 0, headerBytes);
  header.setUint32(place.length, payload.length, true);
  header.setUint32(place.count, records.length, true);
  header.setUint8(place.format, format);
  frame.set(payload, headerBytes);
  header.setUint32(place.checksum, checksumOf(frame), true);
  return frame;
}

/** The batch of a frame. @throws Error saying what is wrong with the bytes. */
export function decodeBatch(frame: Uint8Array): Batch {
  if (frame.length < headerBytes) {
    throw new Error(`${frame.length} bytes are fewer than the ${headerBytes} of a header`);
  }
  const header = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const length = header.getUint32(place.length, true);
  if (length !== frame.length - headerBytes) {
    throw new Error(`the header announces ${length} bytes, and ${frame.length - headerBytes} follow`);
  }
  const expected = header.getUint32(place.checksum, true);
  const actual = checksumOf(frame);
  if (expected !== actual) throw new Error(`the checksum is ${hex(actual)}, and was ${hex(expected)}`);
  const payload = frame.subarray(headerBytes);
  const records: unknown = packr.unpack(payload);
  const count = header.getUint32(place.count, true);
  if (!Array.isArray(records) || records.length !== count) throw new Error(`it does not hold ${count} records`);
  return header.getUint8(place.format) === plain ? records : unescapeRecords(records);
}

function pack(records: Batch): Uint8Array {
  try {
    return packr.pack(records);
  } catch (cause) {
    // A buffer that was transferred away, a getter that throws: nothing that a look at the types could tell.
    throw new RecordNotSerializableError('$', `not writable (${toError(cause).message})`);
  }
}

function checksumOf(frame: Uint8Array): number {
  return crc32(frame.subarray(place.length));
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
