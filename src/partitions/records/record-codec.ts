import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { Batch } from '../stream-element.ts';
import { escapeRecords, unescapeRecords } from './escape-records.ts';
import { areUsual } from './plain-data.ts';

/**
 * A frame is a CRC32 of all that follows it, the length of the payload, the number of records, the subpartition (32 bits
 * each, little endian), the number of its first record there (64 bits), the format of the payload (one byte), and the
 * payload. The same records at the same place give the same bytes. This is how long all that before the payload is.
 */
export const frameHeaderBytes = 25;
const place = { checksum: 0, length: 4, count: 8, subpartition: 12, sequence: 16, format: 24 } as const;

/** Where a batch belongs. */
export interface BatchPlace {
  readonly subpartition: number;
  /** Number of its first record in the subpartition, from 0. */
  readonly sequence: number;
}

const beginning: BatchPlace = { subpartition: 0, sequence: 0 };

/** The records as they are, or escaped where msgpack would change them. */
const plain = 0;
const escaped = 1;

const packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true });

/**
 * A batch as one frame of bytes. What comes back equals what went in.
 *
 * @throws RecordNotSerializableError for what is not plain data.
 */
export function encodeBatch(records: Batch, { subpartition, sequence }: BatchPlace = beginning): Uint8Array {
  const format = areUsual(records) ? plain : escaped;
  const payload = pack(format === plain ? records : escapeRecords(records));
  const frame = new Uint8Array(frameHeaderBytes + payload.length);
  const header = new DataView(frame.buffer, 0, frameHeaderBytes);
  header.setUint32(place.length, payload.length, true);
  header.setUint32(place.count, records.length, true);
  header.setUint32(place.subpartition, subpartition, true);
  header.setBigUint64(place.sequence, BigInt(sequence), true);
  header.setUint8(place.format, format);
  frame.set(payload, frameHeaderBytes);
  header.setUint32(place.checksum, checksumOf(frame), true);
  return frame;
}

/** The checksum that a frame carries. */
export function frameChecksum(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes).getUint32(place.checksum, true);
}

/** The checksum that the frame of a batch would carry; undefined where the records cannot be written. */
export function batchChecksum(records: Batch, at: BatchPlace): number | undefined {
  try {
    return frameChecksum(encodeBatch(records, at));
  } catch {
    return undefined;
  }
}

/** What the header of a frame says; the bytes may go on behind it. @throws Error if they are too few for a header. */
export function readFrameHeader(
  bytes: Uint8Array,
): BatchPlace & { readonly frameBytes: number; readonly count: number } {
  if (bytes.length < frameHeaderBytes) {
    throw new Error(`${bytes.length} bytes are fewer than the ${frameHeaderBytes} of a header`);
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, frameHeaderBytes);
  return {
    frameBytes: frameHeaderBytes + header.getUint32(place.length, true),
    count: header.getUint32(place.count, true),
    subpartition: header.getUint32(place.subpartition, true),
    sequence: Number(header.getBigUint64(place.sequence, true)),
  };
}

/**
 * The batch of a frame.
 *
 * @param expected where it belongs, if that is known
 * @throws Error saying what is wrong with the bytes.
 */
export function decodeBatch(frame: Uint8Array, expected?: BatchPlace): Batch {
  if (frame.length < frameHeaderBytes) {
    throw new Error(`${frame.length} bytes are fewer than the ${frameHeaderBytes} of a header`);
  }
  const header = new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes);
  const length = header.getUint32(place.length, true);
  if (length !== frame.length - frameHeaderBytes) {
    throw new Error(`the header announces ${length} bytes, and ${frame.length - frameHeaderBytes} follow`);
  }
  const noted = header.getUint32(place.checksum, true);
  const actual = checksumOf(frame);
  if (noted !== actual) throw new Error(`the checksum is ${hex(actual)}, and was ${hex(noted)}`);
  if (expected !== undefined) assertPlace(readFrameHeader(frame), expected);
  const payload = frame.subarray(frameHeaderBytes);
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

function assertPlace(found: BatchPlace, expected: BatchPlace): void {
  if (found.subpartition === expected.subpartition && found.sequence === expected.sequence) return;
  throw new Error(
    `it begins with record ${found.sequence} of subpartition ${found.subpartition}, not ${expected.sequence} of ${expected.subpartition}`,
  );
}

function checksumOf(frame: Uint8Array): number {
  return crc32(frame.subarray(place.length));
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
