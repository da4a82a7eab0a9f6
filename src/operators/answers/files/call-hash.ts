import { putWord, wordAt } from '../../../journal/record-header.ts';
import type { HashWords } from '../../identity/blake3.ts';
import { hashWordsIn } from '../../identity/value-hash.ts';

/** What a call is known by in files and indexes. */
export type CallHash = HashWords;

/** Its length in files. */
export const callHashBytes = 16;

/** The hash in `bytes` at an offset. */
export function callHashAt(bytes: Uint8Array, at: number): CallHash {
  return {
    a: signedWordAt(bytes, at),
    b: signedWordAt(bytes, at + 4),
    c: signedWordAt(bytes, at + 8),
    d: signedWordAt(bytes, at + 12),
  };
}

/** The hash in the first characters of a text, each of which stands for a byte. */
export function callHashIn(text: string): CallHash {
  return hashWordsIn(text);
}

/** Whether this hash is in `bytes` at an offset. */
export function isCallHashAt(bytes: Uint8Array, at: number, { a, b, c, d }: CallHash): boolean {
  return (
    signedWordAt(bytes, at) === a &&
    signedWordAt(bytes, at + 4) === b &&
    signedWordAt(bytes, at + 8) === c &&
    signedWordAt(bytes, at + 12) === d
  );
}

/** Writes it to `bytes` at an offset. */
export function putCallHash(bytes: Uint8Array, at: number, { a, b, c, d }: CallHash): void {
  putWord(bytes, at, a);
  putWord(bytes, at + 4, b);
  putWord(bytes, at + 8, c);
  putWord(bytes, at + 12, d);
}

/** Whether two hashes are equal. */
export function isSameCall(one: CallHash, other: CallHash): boolean {
  return one.a === other.a && one.b === other.b && one.c === other.c && one.d === other.d;
}

/** A hash as a text: its 16 bytes as characters, which {@link callHashIn} reads. */
export function callHashKey({ a, b, c, d }: CallHash): string {
  return `${textOfWord(a)}${textOfWord(b)}${textOfWord(c)}${textOfWord(d)}`;
}

function textOfWord(word: number): string {
  return String.fromCharCode(word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24);
}

function signedWordAt(bytes: Uint8Array, at: number): number {
  return wordAt(bytes, at) | 0;
}
