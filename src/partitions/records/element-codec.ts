import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { CheckpointId } from '../../ids.ts';
import { type Batch, elementOf, type Mark, type WrittenElement } from '../stream-element.ts';
import { escapeRecords, unescapeRecords } from './escape-records.ts';
import { areUsual } from './plain-data.ts';

/**
 * A frame is a CRC32 of all that follows it, the length of the payload, the number of records, the subpartition (32 bits
 * each, little endian), the number of records before it there (64 bits), the format of the payload (one byte), and the
 * payload. The same element at the same place gives the same bytes. This is how long all that before the payload is.
 */
export const frameHeaderBytes = 25;
const place = { checksum: 0, length: 4, count: 8, subpartition: 12, sequence: 16, format: 24 } as const;

/** Where an element belongs. */
export interface ElementPlace {
  readonly subpartition: number;
  /** How many records of the subpartition are before it: the number of its first record, from 0. */
  readonly sequence: number;
}

const beginning: ElementPlace = { subpartition: 0, sequence: 0 };

/** Of a payload: records as they are, records escaped where msgpack would change them, or a mark. */
const formats = { plain: 0, escaped: 1, mark: 2 } as const;

/** What the payload of a mark begins with. */
const markCodes = { barrier: 0, watermark: 1, idleness: 2 } as const satisfies Record<Mark['kind'], number>;

const packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true });

/**
 * An element as one frame of bytes. What comes back equals what went in.
 *
 * @throws RecordNotSerializableError for records that are not plain data.
 */
export function encodeElement(element: WrittenElement, at: ElementPlace = beginning): Uint8Array {
  if (element.kind !== 'records') return frameOf(pack(partsOf(element)), formats.mark, 0, at);
  const { records } = element;
  const format = areUsual(records) ? formats.plain : formats.escaped;
  return frameOf(pack(format === formats.plain ? records : escapeRecords(records)), format, records.length, at);
}

function frameOf(payload: Uint8Array, format: number, count: number, at: ElementPlace): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + payload.length);
  const header = new DataView(frame.buffer, 0, frameHeaderBytes);
  header.setUint32(place.length, payload.length, true);
  header.setUint32(place.count, count, true);
  header.setUint32(place.subpartition, at.subpartition, true);
  header.setBigUint64(place.sequence, BigInt(at.sequence), true);
  header.setUint8(place.format, format);
  frame.set(payload, frameHeaderBytes);
  header.setUint32(place.checksum, checksumOf(frame), true);
  return frame;
}

/** The checksum that a frame carries. */
export function frameChecksum(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes).getUint32(place.checksum, true);
}

/** The checksum that the frame of an element would carry; undefined for records that cannot be written. */
export function elementChecksum(element: WrittenElement, at: ElementPlace): number | undefined {
  try {
    return frameChecksum(encodeElement(element, at));
  } catch {
    return undefined;
  }
}

/** What the header of a frame says; the bytes may go on behind it. @throws Error if they are too few for a header. */
export function readFrameHeader(
  bytes: Uint8Array,
): ElementPlace & { readonly frameBytes: number; readonly count: number } {
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
 * The element of a frame.
 *
 * @param expected where it belongs, if that is known
 * @throws Error saying what is wrong with the bytes.
 */
export function decodeElement(frame: Uint8Array, expected?: ElementPlace): WrittenElement {
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
  const format = header.getUint8(place.format);
  const content: unknown = packr.unpack(frame.subarray(frameHeaderBytes));
  if (format === formats.mark) return markOf(content);
  if (format !== formats.plain && format !== formats.escaped) {
    throw new Error(`its format is ${format}, which this version does not know`);
  }
  const count = header.getUint32(place.count, true);
  if (!Array.isArray(content) || content.length !== count) throw new Error(`it does not hold ${count} records`);
  return elementOf(format === formats.plain ? content : unescapeRecords(content));
}

function partsOf(mark: Mark): Batch {
  switch (mark.kind) {
    case 'barrier':
      return [markCodes.barrier, mark.checkpoint];
    case 'watermark':
      return [markCodes.watermark, mark.timestampMs];
    case 'idleness':
      return [markCodes.idleness, mark.isIdle];
  }
}

/** @throws Error unless these are the parts of a mark */
function markOf(content: unknown): Mark {
  const [code, value] = Array.isArray(content) ? (content as unknown[]) : [];
  if (code === markCodes.barrier && typeof value === 'number') {
    return { kind: 'barrier', checkpoint: value as CheckpointId };
  }
  if (code === markCodes.watermark && typeof value === 'number') return { kind: 'watermark', timestampMs: value };
  if (code === markCodes.idleness && typeof value === 'boolean') return { kind: 'idleness', isIdle: value };
  throw new Error('it holds no barrier, watermark or idleness');
}

function pack(records: Batch): Uint8Array {
  try {
    return packr.pack(records);
  } catch (cause) {
    // A buffer that was transferred away, a getter that throws: nothing that a look at the types could tell.
    throw new RecordNotSerializableError('$', `not writable (${toError(cause).message})`);
  }
}

function assertPlace(found: ElementPlace, expected: ElementPlace): void {
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
