import { encodeRecord, readRecordHeader, recordHeaderBytes } from '../../journal/record-header.ts';
import { CheckpointFormatError, CheckpointUnreadableError } from '../../errors/checkpoint-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import { crc32 } from '../records/checksum.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { partSuffix } from './disk-checkpoint-files.ts';

/** Of all files of a checkpoint. */
const formatVersion = 1;

/**
 * The kinds of records in the files. A file is a sequence of chunks, or one manifest; an end record, which is empty,
 * closes it.
 */
type RecordKind = 'CHNK' | 'CMAN' | 'CEND';

/** What the name of a file says about it. */
export interface FileName {
  readonly kind: 'piece' | 'manifest' | 'part';
  readonly checkpoint: CheckpointId;
}

/** Bytes that a chunk is read with at first. */
const readAtFirst = 64 * 1024;

/** The record of one chunk at `offset` of its file. */
export function encodeChunk(kind: RecordKind, payload: Uint8Array, offset: number): Uint8Array {
  return encodeRecord({ kind, version: formatVersion }, payload, offset, crc32);
}

/** The name of a piece: the same characters in every file system and object store. */
export function pieceFile(checkpoint: CheckpointId, name: string): string {
  return `${numberText(checkpoint)}-${safeName(name)}.state`;
}

/** The name of a manifest. */
export function manifestFile(checkpoint: CheckpointId): string {
  return `${numberText(checkpoint)}.manifest`;
}

/** What a file is by its name; undefined if it is not of a checkpoint. */
export function parseFileName(name: string): FileName | undefined {
  const match = /^(\d{10,})(-[^/]*\.state|\.manifest)(\.part)?$/.exec(name);
  if (match === null) return undefined;
  const [, number, rest, suffix] = match;
  const checkpoint = Number(number) as CheckpointId;
  if (suffix === partSuffix) return { kind: 'part', checkpoint };
  return { kind: rest === '.manifest' ? 'manifest' : 'piece', checkpoint };
}

/** A name in which only letters, digits, `.`, `_` and `-` stand for themselves, without a leading dot. */
export function safeName(name: string): string {
  const encoded = encodeURIComponent(name).replace(/[!'()*~]/g, percent);
  return encoded.replace(/^\./, '%2E');
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function numberText(checkpoint: CheckpointId): string {
  return String(checkpoint).padStart(10, '0');
}

/**
 * Reads the chunk at `offset` of a file.
 * @throws CheckpointUnreadableError if it is missing or damaged; CheckpointFormatError
 */
export async function readChunkOf(files: CheckpointFiles, name: string, offset: number): Promise<Uint8Array> {
  const found = await readRecordOf(files, name, offset);
  if (found.kind !== 'CHNK') throw unreadable(files, name, `there is no state at ${offset}`);
  return found.payload;
}

/**
 * Reads the chunks of a file, which must be whole.
 * @throws CheckpointUnreadableError if it is missing or damaged; CheckpointFormatError
 */
export async function readChunksOf(files: CheckpointFiles, name: string, kind: RecordKind): Promise<Uint8Array[]> {
  const payloads: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const found = await readRecordOf(files, name, at);
    at = found.end;
    if (found.kind === 'CEND') return payloads;
    if (found.kind !== kind) throw unreadable(files, name, `it has a record of kind ${found.kind}`);
    payloads.push(found.payload);
  }
}

interface FoundRecord {
  readonly kind: string;
  readonly payload: Uint8Array;
  readonly end: number;
}

async function readRecordOf(files: CheckpointFiles, name: string, offset: number): Promise<FoundRecord> {
  const first = await files.read(name, offset, readAtFirst);
  if (first === undefined) throw unreadable(files, name, 'it is missing');
  if (first.length < recordHeaderBytes) throw unreadable(files, name, `it ends at ${offset + first.length}`);
  const header = readRecordHeader(first, offset);
  if (header === undefined) throw unreadable(files, name, `the header at ${offset} is damaged`);
  if (header.version !== formatVersion) {
    throw new CheckpointFormatError(files.pathOf(name), header.version, formatVersion);
  }
  const length = recordHeaderBytes + header.payloadBytes;
  const bytes = first.length >= length ? first : ((await files.read(name, offset, length)) ?? first);
  if (bytes.length < length) throw unreadable(files, name, `it ends at ${offset + bytes.length}`);
  const payload = bytes.subarray(recordHeaderBytes, length);
  if (crc32(payload) !== header.payloadChecksum) {
    throw unreadable(files, name, `the checksum of the ${payload.length} bytes at ${offset} is wrong`);
  }
  return { kind: header.kind, payload, end: offset + length };
}

function unreadable(files: CheckpointFiles, name: string, problem: string): CheckpointUnreadableError {
  return new CheckpointUnreadableError(files.pathOf(name), problem);
}
