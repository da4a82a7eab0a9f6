import type { ResultPartitionId } from '../../ids.ts';
import { encodeRecord, readRecord } from '../../journal/record-header.ts';

/** One element of a result, in the result's file. */
export interface IndexedElement {
  readonly subpartition: number;
  /** Its records; 0 for a mark. */
  readonly count: number;
  /** Offset and length of its frame in the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Checksum of its frame. */
  readonly checksum: number;
}

/** The contents of a complete result's file, so that another process can read it without scanning it. */
export interface ResultIndex {
  readonly subpartitionCount: number;
  /** In order within each subpartition. */
  readonly elements: readonly IndexedElement[];
}

/** The index of a result, with the length of its segments. */
export interface StoredIndex extends ResultIndex {
  /** Bytes of each segment without its header, in order. */
  readonly segments: readonly number[];
}

/** A complete part of a result in files that another thread of this machine may read: its index, and where they are. */
export interface LentFile extends StoredIndex {
  readonly directory: string;
  /** The result as its file names it: the attempt of an adopted one is that of the run which wrote it. */
  readonly writtenAs: ResultPartitionId;
}

/** A result that readers on this machine may read by themselves, once it is complete. */
export interface LendableResult {
  /** Undefined if the subpartition is incomplete, or not all of it is in the file. */
  lend(subpartition: number): LentFile | undefined;
}

/** Before version 2, the same records had other frames, so that their checksums cannot be compared. */
const format = { kind: 'RIDX', version: 2 } as const;

/** The counts of subpartitions, segments and elements (32 bits each, little endian), then segments and elements. */
const headBytes = 12;
const segmentBytes = 8;
/** Subpartition, count, bytes, checksum (32 bits each), offset (64 bits). */
const elementBytes = 24;

/** Encodes an index as one checksummed record. */
export function encodeIndex({ subpartitionCount, segments, elements }: StoredIndex): Uint8Array {
  const payload = new Uint8Array(headBytes + segments.length * segmentBytes + elements.length * elementBytes);
  const view = new DataView(payload.buffer);
  view.setUint32(0, subpartitionCount, true);
  view.setUint32(4, segments.length, true);
  view.setUint32(8, elements.length, true);
  let at = headBytes;
  for (const bytes of segments) {
    view.setBigUint64(at, BigInt(bytes), true);
    at += segmentBytes;
  }
  for (const { subpartition, count, bytes, checksum, offset } of elements) {
    view.setUint32(at, subpartition, true);
    view.setUint32(at + 4, count, true);
    view.setUint32(at + 8, bytes, true);
    view.setUint32(at + 12, checksum, true);
    view.setBigUint64(at + 16, BigInt(offset), true);
    at += elementBytes;
  }
  return encodeRecord(format, payload);
}

/** @throws Error that says what is wrong with the bytes */
export function decodeIndex(file: Uint8Array): StoredIndex {
  const record = readRecord(format, file);
  if (record.kind !== 'whole') throw new Error(`its index: ${record.problem}`);
  const { payload } = record;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const [subpartitionCount, segmentCount, elementCount] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
  ];
  if (payload.length !== headBytes + segmentCount * segmentBytes + elementCount * elementBytes) {
    throw new Error('its index: the counts do not fit its length');
  }
  let at = headBytes;
  const segments = Array.from({ length: segmentCount }, () => {
    at += segmentBytes;
    return Number(view.getBigUint64(at - segmentBytes, true));
  });
  const elements = Array.from({ length: elementCount }, (): IndexedElement => {
    const element = {
      subpartition: view.getUint32(at, true),
      count: view.getUint32(at + 4, true),
      bytes: view.getUint32(at + 8, true),
      checksum: view.getUint32(at + 12, true),
      offset: Number(view.getBigUint64(at + 16, true)),
    };
    at += elementBytes;
    return element;
  });
  return { subpartitionCount, segments, elements };
}
