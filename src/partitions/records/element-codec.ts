import type { CheckpointId } from '../../ids.ts';
import { putWord } from '../../journal/record-header.ts';
import {
  type Barrier,
  type BarrierKind,
  type Batch,
  elementOf,
  type Mark,
  type WrittenElement,
} from '../stream-element.ts';
import { crc32 } from './checksum.ts';
import { packPlain, packRecords, unpackPlain, unpackRecords } from './plain-codec.ts';
import { decodeColumns, encodeColumns } from './record-columns.ts';

/**
 * A frame is a CRC32 of the rest of the frame, the length of the payload, the number of records, the subpartition (32
 * bits each, little endian), the number of records before it there (64 bits), the format of the payload (one byte),
 * and the payload. The same element at the same place always has the same bytes. This constant is the length of
 * everything before the payload.
 */
export const frameHeaderBytes = 25;
const place = { checksum: 0, length: 4, count: 8, subpartition: 12, sequence: 16, format: 24 } as const;

/** The place of an element. */
export interface ElementPlace {
  readonly subpartition: number;
  /** The number of records before it in its subpartition. */
  readonly sequence: number;
}

const beginning: ElementPlace = { subpartition: 0, sequence: 0 };

/** The formats of a payload: plain records, escaped records if msgpack would change them, a mark, or records by column. */
const formats = { plain: 0, escaped: 1, mark: 2, columns: 3 } as const;
const mostFormat = formats.columns;

/** The first item of a mark's payload. */
const markCodes = { barrier: 0, watermark: 1, idleness: 2 } as const satisfies Record<Mark['kind'], number>;

/**
 * Encodes an element as one frame of bytes. Decoding returns an equal element.
 * @throws RecordNotSerializableError for records that are not plain data.
 */
export function encodeElement(element: WrittenElement, at: ElementPlace = beginning): Uint8Array {
  if (element.kind !== 'records') return frameOf(packPlain(partsOf(element)), formats.mark, 0, at);
  const { records } = element;
  const columns = encodeColumns(records);
  if (columns !== undefined) return frameOf(columns, formats.columns, records.length, at);
  const { bytes, isEscaped } = packRecords(records);
  return frameOf(bytes, isEscaped ? formats.escaped : formats.plain, records.length, at);
}

function frameOf(payload: Uint8Array, format: number, count: number, at: ElementPlace): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + payload.length);
  putWord(frame, place.length, payload.length);
  putWord(frame, place.count, count);
  putWord(frame, place.subpartition, at.subpartition);
  putWord(frame, place.sequence, at.sequence);
  putWord(frame, place.sequence + 4, at.sequence / 2 ** 32);
  frame[place.format] = format;
  frame.set(payload, frameHeaderBytes);
  putWord(frame, place.checksum, checksumOf(frame));
  return frame;
}

/** The checksum in a frame. */
export function frameChecksum(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes).getUint32(place.checksum, true);
}

/** The checksum that the frame of an element would have; undefined for records that cannot be written. */
export function elementChecksum(element: WrittenElement, at: ElementPlace): number | undefined {
  try {
    return frameChecksum(encodeElement(element, at));
  } catch {
    return undefined;
  }
}

/** The fields of a frame's header; more bytes may follow. @throws Error if there are too few bytes for a header. */
export function readFrameHeader(
  bytes: Uint8Array,
): ElementPlace & { readonly frameBytes: number; readonly count: number } {
  if (bytes.length < frameHeaderBytes) {
    throw new Error(`it has ${bytes.length} of the ${frameHeaderBytes} bytes of a header`);
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, frameHeaderBytes);
  return {
    frameBytes: frameHeaderBytes + header.getUint32(place.length, true),
    count: header.getUint32(place.count, true),
    subpartition: header.getUint32(place.subpartition, true),
    sequence: Number(header.getBigUint64(place.sequence, true)),
  };
}

/** The element of a frame. @param expected its place, if known @throws Error that says what is wrong with the bytes. */
export function decodeElement(frame: Uint8Array, expected?: ElementPlace): WrittenElement {
  verifyFrame(frame, expected);
  return decodeVerified(frame);
}

/**
 * Whether a frame holds a mark, once its bytes are known to be those that were written.
 * @param expected its place, if known @throws Error that says what is wrong with the bytes
 */
export function verifyFrame(frame: Uint8Array, expected?: ElementPlace): 'records' | 'mark' {
  if (frame.length < frameHeaderBytes) {
    throw new Error(`it has ${frame.length} of the ${frameHeaderBytes} bytes of a header`);
  }
  const header = new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes);
  const length = header.getUint32(place.length, true);
  if (length !== frame.length - frameHeaderBytes) {
    throw new Error(`its payload has ${frame.length - frameHeaderBytes} bytes, but the header says ${length}`);
  }
  const noted = header.getUint32(place.checksum, true);
  const actual = checksumOf(frame);
  if (noted !== actual) throw new Error(`its checksum is ${hex(actual)}, expected ${hex(noted)}`);
  if (expected !== undefined) assertPlace(readFrameHeader(frame), expected);
  const format = header.getUint8(place.format);
  if (format > mostFormat) throw new Error(`its format ${format} is unknown to this version`);
  return format === formats.mark ? 'mark' : 'records';
}

/** The element of a frame that {@link verifyFrame} has seen. @throws Error if no version of this wrote it */
export function decodeVerified(frame: Uint8Array): WrittenElement {
  const header = new DataView(frame.buffer, frame.byteOffset, frameHeaderBytes);
  const format = header.getUint8(place.format);
  const payload = frame.subarray(frameHeaderBytes);
  const count = header.getUint32(place.count, true);
  if (format === formats.columns) return elementOf(decodeColumns(payload, count));
  if (format === formats.mark) return markOf(unpackPlain(payload));
  const records = unpackRecords({ bytes: payload, isEscaped: format === formats.escaped });
  if (records.length !== count) throw new Error(`it does not have ${count} records`);
  return elementOf(records);
}

const namedAlignments: ReadonlySet<unknown> = new Set<BarrierKind>(['at-least-once', 'savepoint', 'stop', 'drain']);

function isPlain(alignment: unknown): boolean {
  return !namedAlignments.has(alignment);
}

function partsOf(mark: Mark): Batch {
  switch (mark.kind) {
    case 'barrier':
      return [markCodes.barrier, mark.checkpoint, ...(isPlain(mark.alignment) ? [] : [mark.alignment])];
    case 'watermark':
      return [markCodes.watermark, mark.timestampMs];
    case 'idleness':
      return [markCodes.idleness, mark.isIdle];
  }
}

/** @throws Error unless these are the parts of a mark */
function markOf(content: unknown): Mark {
  const [code, value, alignment] = Array.isArray(content) ? (content as unknown[]) : [];
  if (code === markCodes.barrier && typeof value === 'number') {
    const barrier: Barrier = { kind: 'barrier', checkpoint: value as CheckpointId };
    return isPlain(alignment) ? barrier : { ...barrier, alignment: alignment as BarrierKind };
  }
  if (code === markCodes.watermark && typeof value === 'number') return { kind: 'watermark', timestampMs: value };
  if (code === markCodes.idleness && typeof value === 'boolean') return { kind: 'idleness', isIdle: value };
  throw new Error('it is not a barrier, watermark or idleness');
}

function assertPlace(found: ElementPlace, expected: ElementPlace): void {
  if (found.subpartition === expected.subpartition && found.sequence === expected.sequence) return;
  throw new Error(
    `it begins with record ${found.sequence} of subpartition ${found.subpartition}, expected record ${expected.sequence} of subpartition ${expected.subpartition}`,
  );
}

/** Of everything after the checksum. */
function checksumOf(frame: Uint8Array): number {
  return crc32(frame, 0, place.length);
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}
