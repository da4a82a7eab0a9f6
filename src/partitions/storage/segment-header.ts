import { crc32 } from 'node:zlib';
import { type ResultPartitionId, resultPartitionKey } from '../../ids.ts';

/** The identity of a segment. */
export interface SegmentHeader {
  readonly id: ResultPartitionId;
  /** Number of the segment in its log, from 0. */
  readonly number: number;
  /** Offset of its first byte in the log. */
  readonly start: number;
}

/** The file name of a result, without the segment number. */
export function resultFileName({ partition, attempt }: ResultPartitionId): string {
  return `partition-${partition}-${attempt}`;
}

/** The file name of a segment. */
export function segmentName(id: ResultPartitionId, number: number): string {
  return `${resultFileName(id)}.${number}`;
}

/**
 * A header is the magic, the format version, partition, attempt and number of the segment (32 bits each, little
 * endian), the offset of its first byte (64 bits), and a CRC-32 of all fields before it.
 */
export const headerBytes = 36;
const place = { version: 8, partition: 12, attempt: 16, number: 20, start: 24, checksum: 32 } as const;

const magic = new TextEncoder().encode('KINTSUGI');
/** 2: frames may hold marks. */
const formatVersion = 2;

/** Encodes the header of a segment. */
export function encodeHeader({ id, number, start }: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(place.version, formatVersion, true);
  view.setUint32(place.partition, id.partition, true);
  view.setUint32(place.attempt, id.attempt, true);
  view.setUint32(place.number, number, true);
  view.setBigUint64(place.start, BigInt(start), true);
  view.setUint32(place.checksum, crc32(bytes.subarray(0, place.checksum)), true);
  return bytes;
}

/** Why `bytes` are not the expected header; undefined if they are. */
export function headerProblem(bytes: Uint8Array, expected: SegmentHeader): string | undefined {
  if (bytes.length < headerBytes) return `the header has ${bytes.length} of ${headerBytes} bytes`;
  if (!magic.every((byte, index) => bytes[index] === byte)) return 'the header is not that of a segment';
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const version = view.getUint32(place.version, true);
  if (version !== formatVersion) return `the header has format ${version}, expected ${formatVersion}`;
  if (view.getUint32(place.checksum, true) !== crc32(bytes.subarray(0, place.checksum))) {
    return 'the checksum of the header is wrong';
  }
  const isExpected =
    view.getUint32(place.partition, true) === expected.id.partition &&
    view.getUint32(place.attempt, true) === expected.id.attempt &&
    view.getUint32(place.number, true) === expected.number;
  if (!isExpected) {
    return `the header is not that of segment ${expected.number} of partition ${resultPartitionKey(expected.id)}`;
  }
  const start = view.getBigUint64(place.start, true);
  if (start !== BigInt(expected.start))
    return `the header says that the segment starts at ${start}, expected ${expected.start}`;
  return undefined;
}
