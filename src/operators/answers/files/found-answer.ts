import { wordAt } from '../../../journal/record-header.ts';
import { fromPlainError, type PlainError } from '../../../plain-error.ts';
import { codes, noKey, place, timeAt } from './answer-record.ts';
import { type CallHash, isCallHashAt } from './call-hash.ts';
import type { CallOutcome } from './call-outcome.ts';
import { unpackAnswer } from './packed-answer.ts';

/**
 * A remembered answer: where the payload of its record lies. Valid until the next one is looked for, because the bytes are used
 * again. It is read where it lies: a look-up has no time for an object per field.
 */
export interface FoundAnswer {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** An answer whose payload these bytes are. */
export function answerInPayload({ buffer, byteOffset, length }: Uint8Array): FoundAnswer {
  return { bytes: Buffer.from(buffer, byteOffset, length), start: 0, end: length };
}

/** A copy of its payload. */
export function payloadOf({ bytes, start, end }: FoundAnswer): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

/** Whether it is one, and of this call. */
export function isAnswerTo({ bytes, start }: FoundAnswer, hash: CallHash): boolean {
  const code = bytes[start];
  return (code === codes.answer || code === codes.error) && isCallHashAt(bytes, start + place.hash, hash);
}

/** Whether it is what the calls finally failed with. */
export function isRememberedError({ bytes, start }: FoundAnswer): boolean {
  return bytes[start] === codes.error;
}

/** When it was remembered, in ms since 1970. */
export function rememberedAtMs({ bytes, start }: FoundAnswer): number {
  return timeAt(bytes, start + place.atMs);
}

/** What became of the call, in objects of its own. @throws Error saying what is wrong with the bytes */
export function outcomeOf(found: FoundAnswer): CallOutcome {
  const { bytes, start, end } = found;
  const keyBytes = wordAt(bytes, start + place.keyLength);
  const packedAt = start + place.key + (keyBytes === noKey ? 0 : keyBytes);
  const value = unpackAnswer(bytes[start + place.format] as number, bytes, packedAt, end);
  return isRememberedError(found)
    ? { kind: 'failed', error: fromPlainError(value as PlainError) }
    : { kind: 'answered', answer: value };
}
