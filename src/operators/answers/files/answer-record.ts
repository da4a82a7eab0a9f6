import type { LogFormat } from '../../../journal/log-scan.ts';
import type { RecordBuffer } from '../../../journal/record-buffer.ts';
import { putWord, wordAt } from '../../../journal/record-header.ts';
import { exactBytes, exactText } from '../../../partitions/records/exact-text.ts';
import { isWellFormed } from '../../../partitions/records/plain-data.ts';
import { toPlainError } from '../../../plain-error.ts';
import type { CallOutcome } from './call-outcome.ts';
import { type CallHash, callHashAt, callHashBytes, putCallHash } from './call-hash.ts';
import { mostBytesPerUnit, mostPackedBytes, type PackedAnswer, packAnswer, putPacked } from './packed-answer.ts';

/** The format of the files with answers. */
export const answerFormat: LogFormat = {
  kind: 'ANSW',
  version: 3,
  remedy:
    'Use the version of kintsugi that wrote it, name another directory, or delete it and pay for its answers again',
};

/** Operator and version, in messages and lists. */
export interface AnswerOrigin {
  /** The uid of the operator. */
  readonly operator: string;
  readonly version: string;
}

/** The head of an answer: all but the answer itself. */
export interface AnswerHead {
  readonly isError: boolean;
  /** Number of its origin in the file. */
  readonly origin: number;
  readonly hash: CallHash;
  /** When it was remembered, in ms since 1970. */
  readonly atMs: number;
  readonly key: string | undefined;
  /** How the answer is packed. */
  readonly format: number;
  /** Offset of the packed answer in the payload. */
  readonly packedAt: number;
}

/**
 * What a record of a file with answers is.
 * - `owner`: the first one; who writes the file.
 * - `origin`: operator and version of the answers that follow with its number.
 * - `begun`: calls that are about to be made. One without an answer behind it was in flight when its process died.
 * - `ended`: such calls that have ended without an answer to be remembered.
 * - `end`: the last one, of a writer that ended properly: the file grows no more.
 */
export type AnswerRecord =
  | { readonly kind: 'owner'; readonly note: Uint8Array }
  | { readonly kind: 'origin'; readonly number: number; readonly origin: AnswerOrigin }
  | { readonly kind: 'answer'; readonly head: AnswerHead }
  | CallMarks
  | { readonly kind: 'end' };

type NoAnswer = Exclude<AnswerRecord, { readonly kind: 'answer' }>;

/** That calls have begun or ended, by their hashes. */
export interface CallMarks {
  readonly kind: 'begun' | 'ended';
  readonly hashes: readonly CallHash[];
}

/** An answer to be written. */
export interface NewAnswer {
  readonly origin: AnswerOrigin;
  readonly identity: CallHash & { readonly key: string | undefined };
  readonly isError: boolean;
  /** When it was remembered, in ms since 1970; undefined: when it is written. */
  readonly atMs?: number | undefined;
  readonly packed: PackedAnswer;
}

/** The first byte of a payload. */
export const codes = { owner: 0, origin: 1, answer: 2, error: 3, end: 4, begun: 5, ended: 6 } as const;

/**
 * Of an answer: code, format, origin, hash, time, length of the key (`noKey` without one); then the key and the answer.
 */
export const place = { format: 1, origin: 2, hash: 6, atMs: 22, keyLength: 30, key: 34 } as const;
export const noKey = 0xffff_ffff;

const text = new TextEncoder();
const fromText = new TextDecoder('utf-8', { ignoreBOM: true });

/** To convert a number of 64 bits without a view for each record. */
const eightBytes = new Uint8Array(8);
const asNumber = new DataView(eightBytes.buffer);

/** The first record of a file. */
export function encodeOwnerRecord(note: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(codes.owner), note]);
}

/** Operator and version of answers with this number. */
export function encodeOrigin(number: number, { operator, version }: AnswerOrigin): Uint8Array {
  return Buffer.concat([Uint8Array.of(codes.origin), text.encode(JSON.stringify([number, operator, version]))]);
}

/** Adds the record of calls that have begun or ended, unless there are none. */
export function addMarks(records: RecordBuffer, { kind, hashes }: CallMarks): void {
  if (hashes.length === 0) return;
  const payloadBytes = 1 + hashes.length * callHashBytes;
  const start = records.reserve(payloadBytes);
  const { bytes } = records;
  bytes[start] = codes[kind];
  for (let index = 0; index < hashes.length; index++) {
    putCallHash(bytes, start + 1 + index * callHashBytes, hashes[index] as CallHash);
  }
  records.add(payloadBytes);
}

/** The last record of a file. */
export function encodeEnd(): Uint8Array {
  return Uint8Array.of(codes.end);
}

/** An outcome, as data. @throws RecordNotSerializableError for an answer that is no plain data */
export function packOutcome(outcome: CallOutcome): PackedAnswer {
  return packAnswer(outcome.kind === 'answered' ? outcome.answer : toPlainError(outcome.error));
}

/** Adds the record of an answer, of the origin with this number and of this time. Returns the length of its payload. */
export function addAnswer(
  records: RecordBuffer,
  origin: number,
  { isError, identity, packed }: Omit<NewAnswer, 'origin' | 'atMs'>,
  atMs: number,
): number {
  const { key } = identity;
  const mostKeyBytes = key === undefined ? 0 : key.length * mostBytesPerUnit;
  const start = records.reserve(place.key + mostKeyBytes + mostPackedBytes(packed));
  const { bytes } = records;
  bytes[start] = isError ? codes.error : codes.answer;
  bytes[start + place.format] = packed.format;
  putWord(bytes, start + place.origin, origin);
  putCallHash(bytes, start + place.hash, identity);
  asNumber.setFloat64(0, atMs, true);
  for (let index = 0; index < eightBytes.length; index++) {
    bytes[start + place.atMs + index] = eightBytes[index] as number;
  }
  const keyBytes = key === undefined ? 0 : putKey(bytes, start + place.key, key);
  putWord(bytes, start + place.keyLength, key === undefined ? noKey : keyBytes);
  const packedAt = place.key + keyBytes;
  const payloadBytes = packedAt + putPacked(bytes, start + packedAt, packed);
  records.add(payloadBytes);
  return payloadBytes;
}

/** Writes a key, whose UTF-8 needs no buffer of its own. Returns the number of its bytes. */
function putKey(bytes: Buffer, at: number, key: string): number {
  if (isWellFormed(key)) return bytes.write(key, at);
  const exact = exactBytes(key);
  bytes.set(exact, at);
  return exact.length;
}

/** What a scan needs of the record of an answer, to know where it lies: its key and its answer stay unread. */
export interface AnswerEntry {
  readonly kind: 'answer';
  readonly hash: CallHash;
  /** Number of its origin in the file. */
  readonly origin: number;
  /** When it was remembered, in ms since 1970. */
  readonly atMs: number;
}

/** What the payload from `start` to `stop` is, of an answer only its entry; undefined for one that this version does not know. */
export function scanAnswerRecord(bytes: Uint8Array, start: number, stop: number): AnswerEntry | NoAnswer | undefined {
  const code = bytes[start];
  if (code !== codes.answer && code !== codes.error) {
    return readAnswerRecord(bytes.subarray(start, stop)) as NoAnswer | undefined;
  }
  return {
    kind: 'answer',
    hash: callHashAt(bytes, start + place.hash),
    origin: wordAt(bytes, start + place.origin),
    atMs: timeAt(bytes, start + place.atMs),
  };
}

/** What a payload is; undefined for one that this version does not know. */
export function readAnswerRecord(payload: Uint8Array): AnswerRecord | undefined {
  switch (payload[0]) {
    case codes.owner:
      return { kind: 'owner', note: payload.subarray(1) };
    case codes.origin: {
      const told = JSON.parse(fromText.decode(payload.subarray(1))) as [number, string, string];
      const [number, operator, version] = told;
      return { kind: 'origin', number, origin: { operator, version } };
    }
    case codes.answer:
    case codes.error:
      return { kind: 'answer', head: headOf(payload) };
    case codes.begun:
      return { kind: 'begun', hashes: hashesIn(payload) };
    case codes.ended:
      return { kind: 'ended', hashes: hashesIn(payload) };
    case codes.end:
      return { kind: 'end' };
    default:
      return undefined;
  }
}

function hashesIn(payload: Uint8Array): CallHash[] {
  const count = Math.floor((payload.length - 1) / callHashBytes);
  return Array.from({ length: count }, (_, index) => callHashAt(payload, 1 + index * callHashBytes));
}

/** The time in `bytes` at an offset. */
export function timeAt(bytes: Uint8Array, at: number): number {
  for (let index = 0; index < eightBytes.length; index++) eightBytes[index] = bytes[at + index] as number;
  return asNumber.getFloat64(0, true);
}

function headOf(payload: Uint8Array): AnswerHead {
  const keyLength = wordAt(payload, place.keyLength);
  const packedAt = place.key + (keyLength === noKey ? 0 : keyLength);
  return {
    isError: payload[0] === codes.error,
    origin: wordAt(payload, place.origin),
    hash: callHashAt(payload, place.hash),
    atMs: timeAt(payload, place.atMs),
    key: keyLength === noKey ? undefined : exactText(payload.subarray(place.key, packedAt)),
    format: payload[place.format] as number,
    packedAt,
  };
}
