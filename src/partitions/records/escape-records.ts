import { types } from 'node:util';
import type { Batch } from '../stream-element.ts';

/** The meaning of an array in the escaped form, given by its first item. Every other value stands for itself. */
const form = { array: 0, sparseArray: 1, minusZero: 2, text: 3, object: 4, bareObject: 5, buffer: 6, view: 7 } as const;

/**
 * Converts plain data to a form that the fast format preserves: −0, lone surrogates, holes, objects without a
 * prototype or with a key that hides a member of Object, Buffers, values of another realm.
 */
export function escapeRecords(records: Batch): Batch {
  return records.map(escape);
}

/** Converts back what {@link escapeRecords} returned. */
export function unescapeRecords(records: Batch): Batch {
  return records.map(unescape);
}

function escape(value: unknown): unknown {
  if (typeof value === 'number') return Object.is(value, -0) ? [form.minusZero] : value;
  if (typeof value === 'string')
    return isWellFormed(value) ? value : [form.text, new Uint8Array(Buffer.from(value, 'utf16le'))];
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return escapeArray(value);
  if (types.isMap(value)) return new Map([...value].map(([key, item]) => [escape(key), escape(item)]));
  if (types.isSet(value)) return new Set([...value].map(escape));
  if (types.isDate(value)) return new Date(value.getTime());
  if (ArrayBuffer.isView(value)) return escapeView(value);
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value).slice().buffer;
  return escapeObject(value);
}

function escapeArray(value: readonly unknown[]): unknown[] {
  if (Object.keys(value).length >= value.length) return [form.array, ...value.map(escape)];
  const escaped: unknown[] = [form.sparseArray, value.length];
  value.forEach((item, index) => escaped.push(index, escape(item)));
  return escaped;
}

function escapeView(value: ArrayBufferView): unknown {
  const { buffer, byteOffset, byteLength } = value;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (Buffer.isBuffer(value)) return [form.buffer, bytes];
  // The name used by the JavaScript engine: "[object Float64Array]".
  return [form.view, Object.prototype.toString.call(value).slice(8, -1), bytes];
}

function escapeObject(value: object): unknown {
  const isBare = Object.getPrototypeOf(value) === null;
  const entries = Object.entries(value);
  if (!isBare && entries.every(([key]) => key !== '__proto__' && key !== 'constructor' && isWellFormed(key))) {
    return Object.fromEntries(entries.map(([key, item]) => [key, escape(item)]));
  }
  const escaped: unknown[] = [isBare ? form.bareObject : form.object];
  for (const [key, item] of entries) escaped.push(escape(key), escape(item));
  return escaped;
}

function unescape(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return unescapeArray(value);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [unescape(key), unescape(item)]));
  if (value instanceof Set) return new Set([...value].map(unescape));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = value as Record<string, unknown>;
  for (const key in entries) entries[key] = unescape(entries[key]);
  return value;
}

function unescapeArray(escaped: readonly unknown[]): unknown {
  switch (escaped[0]) {
    case form.minusZero:
      return -0;
    case form.text:
      return Buffer.from(escaped[1] as Uint8Array).toString('utf16le');
    case form.buffer:
      return Buffer.from((escaped[1] as Uint8Array).buffer);
    case form.view:
      return new globalThis[escaped[1] as 'DataView']((escaped[2] as Uint8Array<ArrayBuffer>).buffer);
    case form.object:
      return defineEntries({}, escaped);
    case form.bareObject:
      return defineEntries(Object.create(null) as object, escaped);
    case form.sparseArray: {
      const array: unknown[] = [];
      array.length = escaped[1] as number;
      for (let at = 2; at < escaped.length; at += 2) array[escaped[at] as number] = unescape(escaped[at + 1]);
      return array;
    }
    default:
      return escaped.slice(1).map(unescape);
  }
}

/** Defined instead of assigned: assigning to `__proto__` would change the prototype. */
function defineEntries(object: object, escaped: readonly unknown[]): object {
  for (let at = 1; at < escaped.length; at += 2) {
    Object.defineProperty(object, unescape(escaped[at]) as string, {
      value: unescape(escaped[at + 1]),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return object;
}

function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}
