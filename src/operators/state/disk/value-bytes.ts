import { packRecords, unpackRecords } from '../../../partitions/records/plain-codec.ts';

/** What follows the note: a number, or packed values, escaped or not; or both the key and the value. */
const formats = { number: 0, plain: 1, escaped: 2, plainWithKey: 3, escapedWithKey: 4 } as const;

const headerBytes = 5;
const shortest = Buffer.alloc(13);
const view = new DataView(shortest.buffer, shortest.byteOffset, shortest.byteLength);

/**
 * The bytes of a value, after a note: the number of the write that it was part of. They may be valid until the next call
 * only.
 *
 * @param longKey the key, if its bytes do not say it
 * @throws RecordNotSerializableError for what is not plain data
 */
export function valueBytes(value: unknown, note: number, longKey?: { readonly key: unknown }): Uint8Array {
  if (typeof value === 'number' && longKey === undefined) {
    view.setUint32(0, note, true);
    shortest[4] = formats.number;
    view.setFloat64(5, value, true);
    return shortest;
  }
  const { bytes, isEscaped } = packRecords(longKey === undefined ? [value] : [longKey.key, value]);
  const all = Buffer.allocUnsafe(headerBytes + bytes.length);
  all.writeUInt32LE(note);
  const [plain, escaped] =
    longKey === undefined ? [formats.plain, formats.escaped] : [formats.plainWithKey, formats.escapedWithKey];
  all[4] = isEscaped ? escaped : plain;
  all.set(bytes, headerBytes);
  return all;
}

/** The number of the write that a value was part of. */
export function noteIn(bytes: Buffer): number {
  return bytes.readUInt32LE();
}

/** The value, which nobody else has. @param length how many of the bytes are its own */
export function valueOf(bytes: Buffer, length: number): unknown {
  const format = bytes[4];
  if (format === formats.number) return bytes.readDoubleLE(5);
  return unpacked(bytes, length).at(-1);
}

/** The key that is with a value. */
export function longKeyIn(bytes: Buffer): unknown {
  return unpacked(bytes, bytes.length)[0];
}

function unpacked(bytes: Buffer, length: number): unknown[] {
  const isEscaped = bytes[4] === formats.escaped || bytes[4] === formats.escapedWithKey;
  // A copy, because binary values would be views of it.
  return unpackRecords({ bytes: Buffer.from(bytes.subarray(headerBytes, length)), isEscaped });
}
