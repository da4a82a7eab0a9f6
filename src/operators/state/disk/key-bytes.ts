import { createHash } from 'node:crypto';

/**
 * How the bytes of a key begin. `long` is followed by a digest: the key itself is with its value.
 * These bytes are read by the process that wrote them alone.
 */
const tags = { number: 1, utf8: 2, utf16: 3, bigint: 4, true: 5, false: 6, null: 7, undefined: 8, long: 9 } as const;

/** Most bytes of a key; lmdb allows 1,978. */
const mostBytes = 512;

const scratch = Buffer.alloc(mostBytes);
const number = scratch.subarray(0, 9);
const view = new DataView(scratch.buffer, scratch.byteOffset, scratch.byteLength);

/** A string that UTF-8 would change. */
const surrogate = /[\uD800-\uDFFF]/;

/**
 * The bytes under which a key is found, different for different keys of a `Map`. They are valid until the next call.
 * See {@link isLong}.
 */
export function keyBytes(key: unknown): Buffer {
  switch (typeof key) {
    case 'number':
      scratch[0] = tags.number;
      // −0 is 0, and NaN may have other bits.
      view.setFloat64(1, key === 0 ? 0 : Number.isNaN(key) ? Number.NaN : key);
      return number;
    case 'string':
      return surrogate.test(key) ? textBytes(tags.utf16, key, 'utf16le') : textBytes(tags.utf8, key, 'utf8');
    case 'bigint':
      return textBytes(tags.bigint, key.toString(36), 'utf8');
    case 'boolean':
      return only(key ? tags.true : tags.false);
    default:
      return only(key === null ? tags.null : tags.undefined);
  }
}

/** Whether a key cannot be read from its bytes. */
export function isLong(bytes: Uint8Array): boolean {
  return bytes[0] === tags.long;
}

/** The key of bytes that are not long. */
export function keyOf(bytes: Buffer): unknown {
  switch (bytes[0]) {
    case tags.number:
      return bytes.readDoubleBE(1);
    case tags.utf8:
      return bytes.toString('utf8', 1);
    case tags.utf16:
      return bytes.toString('utf16le', 1);
    case tags.bigint:
      return bigintOf(bytes.toString('utf8', 1));
    case tags.true:
      return true;
    case tags.false:
      return false;
    case tags.null:
      return null;
    default:
      return undefined;
  }
}

function only(tag: number): Buffer {
  scratch[0] = tag;
  return scratch.subarray(0, 1);
}

function textBytes(tag: number, text: string, encoding: 'utf8' | 'utf16le'): Buffer {
  // A UTF-16 unit has three bytes of UTF-8 at most.
  if (3 * text.length >= mostBytes) {
    const length = Buffer.byteLength(text, encoding);
    if (length >= mostBytes) return longBytes(tag, Buffer.from(text, encoding));
  }
  scratch[0] = tag;
  return scratch.subarray(0, 1 + scratch.write(text, 1, encoding));
}

function longBytes(tag: number, bytes: Uint8Array): Buffer {
  scratch[0] = tags.long;
  scratch[1] = tag;
  createHash('sha256').update(bytes).digest().copy(scratch, 2);
  return scratch.subarray(0, 34);
}

function bigintOf(text: string): bigint {
  const isNegative = text.startsWith('-');
  let sum = 0n;
  for (const digit of isNegative ? text.slice(1) : text) sum = sum * 36n + BigInt(Number.parseInt(digit, 36));
  return isNegative ? -sum : sum;
}
