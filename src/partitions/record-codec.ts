import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { RecordNotSerializableError } from '../errors.ts';
import type { Batch } from './stream-element.ts';

const packr = new Packr({ useRecords: true, moreTypes: true, useBigIntExtension: true });

/** Length of the payload, number of records, CRC32 over both and the payload: 32 bits each, little endian. */
const headerBytes = 12;

/**
 * A batch as one frame of bytes. What comes back equals what went in, for everything that {@link assertSerializable}
 * lets pass; but −0 comes back as 0, and objects without a prototype get the usual one.
 */
export function encodeBatch(records: Batch): Uint8Array {
  const payload = packr.pack(records);
  const frame = new Uint8Array(headerBytes + payload.length);
  const header = new DataView(frame.buffer, 0, headerBytes);
  header.setUint32(0, payload.length, true);
  header.setUint32(4, records.length, true);
  frame.set(payload, headerBytes);
  header.setUint32(8, checksum(frame), true);
  return frame;
}

/** The batch of a frame. @throws Error saying what is wrong with the bytes. */
export function decodeBatch(frame: Uint8Array): Batch {
  if (frame.length < headerBytes) throw new Error(`${frame.length} bytes are fewer than a header has`);
  const header = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const length = header.getUint32(0, true);
  if (length !== frame.length - headerBytes) {
    throw new Error(`the header announces ${length} bytes, and ${frame.length - headerBytes} follow`);
  }
  if (header.getUint32(8, true) !== checksum(frame)) throw new Error('the checksum is wrong');
  const records: unknown = packr.unpack(frame.subarray(headerBytes));
  const count = header.getUint32(4, true);
  if (!Array.isArray(records) || records.length !== count) throw new Error(`it does not hold ${count} records`);
  return records;
}

function checksum(frame: Uint8Array): number {
  return crc32(frame.subarray(headerBytes), crc32(frame.subarray(0, 8)));
}

/** How deep records may nest; what is deeper is most likely a ring. */
const deepest = 200;

/**
 * Makes sure that every record is plain data: what is kept only in memory today may have to be written tomorrow.
 *
 * Plain are: null, undefined, booleans, numbers, bigints, strings without lone surrogates, arrays, plain objects, Date,
 * Map, Set, ArrayBuffer, typed arrays.
 *
 * @throws RecordNotSerializableError naming the path and what is there.
 */
export function assertSerializable(records: Batch): void {
  for (const record of records) {
    if (!isPlain(record, 0)) throw findFault(record);
  }
}

/** Costs no path: that is looked for when it is needed. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return isWellFormed(value);
    case 'object':
      return value === null || isPlainObject(value, depth);
    case 'function':
    case 'symbol':
      return false;
    default:
      return true;
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (depth > deepest) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    for (const key in value) {
      if (key === '__proto__' || !isPlain((value as Record<string, unknown>)[key], depth + 1)) return false;
    }
    return true;
  }
  if (Array.isArray(value)) return value.every((item) => isPlain(item, depth + 1));
  return partsOf(value)?.every(([, part]) => isPlain(part, depth + 1)) ?? false;
}

const isWellFormed: (text: string) => boolean = (text) =>
  (text as unknown as { isWellFormed(): boolean }).isWellFormed();

/** What a value holds, with the path to it; undefined if it is of a kind that cannot be written. */
function partsOf(value: object): [path: string, part: unknown][] | undefined {
  switch (Object.prototype.toString.call(value)) {
    case '[object Array]':
      return (value as unknown[]).map((item, index) => [`[${index}]`, item]);
    case '[object Map]':
      return [...(value as Map<unknown, unknown>)].flatMap(([key, item], index) => [
        [`.key(${index})`, key],
        [`.value(${index})`, item],
      ]);
    case '[object Set]':
      return [...(value as Set<unknown>)].map((item, index) => [`.value(${index})`, item]);
    case '[object Date]':
    case '[object ArrayBuffer]':
      return [];
    case '[object Object]':
      return isOfPlainPrototype(value)
        ? Object.entries(value).map(([key, item]) => [
            /^[\w$]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
            item,
          ])
        : undefined;
    default:
      return ArrayBuffer.isView(value) && !(value instanceof DataView) ? [] : undefined;
  }
}

/** The prototype of plain objects, of this or of another realm. */
function isOfPlainPrototype(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function findFault(record: unknown): RecordNotSerializableError {
  const search = (value: unknown, path: string, depth: number): RecordNotSerializableError | undefined => {
    if (depth > deepest) return new RecordNotSerializableError(path, 'nested too deeply, or part of a ring');
    if (typeof value === 'string') {
      return isWellFormed(value) ? undefined : new RecordNotSerializableError(path, 'a string with a lone surrogate');
    }
    if (typeof value === 'function') return new RecordNotSerializableError(path, 'a function');
    if (typeof value === 'symbol') return new RecordNotSerializableError(path, 'a symbol');
    if (typeof value !== 'object' || value === null) return undefined;
    if (Object.hasOwn(value, '__proto__'))
      return new RecordNotSerializableError(path, 'an object with a key __proto__');
    const parts = partsOf(value);
    if (parts === undefined) return new RecordNotSerializableError(path, `an instance of ${nameOfClass(value)}`);
    for (const [step, part] of parts) {
      const fault = search(part, path + step, depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  return search(record, '$', 0) ?? new RecordNotSerializableError('$', 'not plain data');
}

function nameOfClass(value: object): string {
  const { constructor } = value as { constructor?: { name?: unknown } };
  return typeof constructor?.name === 'string' && constructor.name !== '' ? constructor.name : 'a class';
}
