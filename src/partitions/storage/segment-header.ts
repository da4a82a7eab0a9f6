import { crc32 } from 'node:zlib';
import { type ResultPartitionId, resultPartitionKey } from '../../ids.ts';

/** What a segment says of itself. */
export interface SegmentHeader {
  readonly id: ResultPartitionId;
  /** From 0, in the order of the bytes. */
  readonly number: number;
  /** Offset of its first byte in the whole. */
  readonly start: number;
}

/** What the files of a result are called, but for their number. */
export function resultFileName({ partition, attempt }: ResultPartitionId): string {
  return `partition-${partition}-${attempt}`;
}

/** What a segment is called in its directory. */
export function segmentName(id: ResultPartitionId, number: number): string {
  return `${resultFileName(id)}.${number}`;
}

/**
 * A header is the magic, the format version, partition, attempt and number of the segment (32 bits each, little endian),
 * the offset of its first byte (64 bits), and a CRC32 of all that.
 */
export const headerBytes = 36;
const place = { version: 8, partition: 12, attempt: 16, number: 20, start: 24, checksum: 32 } as const;

const magic = new TextEncoder().encode('KINTSUGI');
/** 2: frames may hold marks. */
const formatVersion = 2;

/** The bytes that a segment begins with. */
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

/** What keeps `bytes` from being the header that is expected; undefined if they are. */
export function headerProblem(bytes: Uint8Array, expected: SegmentHeader): string | undefined {
  if (bytes.length < headerBytes) return `the header has ${bytes.length} of ${headerBytes} bytes`;
  if (!magic.every((byte, index) => bytes[index] === byte)) return 'the header is not that of a segment';
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const version = view.getUint32(place.version, true);
  if (version !== formatVersion) return `the header has format ${version}, and not ${formatVersion}`;
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
  if (start !== BigInt(expected.start)) return `the header says it starts at ${start}, and not at ${expected.start}`;
  return undefined;
}
