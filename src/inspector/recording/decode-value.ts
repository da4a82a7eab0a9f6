import { fromPlainError } from '../../plain-error.ts';
import type { PlainError } from '../../plain-error.ts';
import type { Tagged } from './plain-value.ts';

/** Stands for a value that was recorded by name, or not in whole: functions, instances of classes, cut texts. */
export class Unrecorded {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** The value that was encoded; what it has lost is {@link Unrecorded}. Cut collections have what was kept. */
export function decodeValue(encoded: unknown): unknown {
  if (typeof encoded !== 'object' || encoded === null) return encoded;
  if (Array.isArray(encoded)) return encoded.map(decodeValue);
  if (!isTagged(encoded)) return decodedFields(encoded as Readonly<Record<string, unknown>>);
  switch (encoded.$) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(encoded.value);
    case 'bigint':
      return BigInt(encoded.value);
    case 'date':
      return new Date(encoded.value);
    case 'array':
      return encoded.values.map(decodeValue);
    case 'set':
      return new Set(encoded.values.map(decodeValue));
    case 'map':
      return new Map(encoded.entries.map(([key, value]) => [decodeValue(key), decodeValue(value)]));
    case 'object':
      return Object.fromEntries(encoded.entries.map(([key, value]) => [key, decodeValue(value)]));
    case 'numbers':
      return decodedNumbers(encoded.kind, encoded.values.map(decodeValue));
    case 'error':
      return fromPlainError(decodedError(encoded.error));
    default:
      return new Unrecorded(shownTag(encoded));
  }
}

/** A short text for an encoded value that has no JSON form: `Map(3)`, `function embed`, `12n`. */
export function shownTag(tagged: Tagged): string {
  switch (tagged.$) {
    case 'number':
    case 'date':
    case 'pattern':
      return tagged.value;
    case 'bigint':
      return `${tagged.value}n`;
    case 'symbol':
      return `Symbol(${tagged.value})`;
    case 'text':
      return `${JSON.stringify(tagged.start)}… (${tagged.length} characters)`;
    case 'function':
      return `function ${tagged.name === '' ? '(anonymous)' : tagged.name}`;
    case 'instance':
      return `[${tagged.name}]`;
    case 'array':
      return `Array(${tagged.size})`;
    case 'set':
      return `Set(${tagged.size})`;
    case 'map':
      return `Map(${tagged.size})`;
    case 'object':
      return `Object(${tagged.size})`;
    case 'numbers':
      return `${tagged.kind}(${tagged.size})`;
    case 'error':
      return `${tagged.error.name}: ${tagged.error.message}`;
    case 'cycle':
      return '(contains itself)';
    case 'deep':
    case 'more':
      return '…';
    case 'unreadable':
      return '(cannot be read)';
    default:
      return 'undefined';
  }
}

/** Whether an encoded value is one that JSON cannot express. */
function isTagged(encoded: unknown): encoded is Tagged {
  return typeof encoded === 'object' && encoded !== null && '$' in encoded && typeof encoded.$ === 'string';
}

function decodedError(error: PlainError): PlainError {
  const { cause, errors } = error;
  return {
    ...error,
    data: decodedFields(error.data),
    cause:
      cause === undefined ? undefined : 'value' in cause ? { value: decodeValue(cause.value) } : decodedError(cause),
    errors: errors?.map(decodedError),
  };
}

function decodedFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, decodeValue(value)]));
}

const typedArrays: Readonly<Record<string, (values: readonly unknown[]) => unknown>> = {
  Int8Array: (values) => Int8Array.from(values as number[]),
  Uint8Array: (values) => Uint8Array.from(values as number[]),
  Uint8ClampedArray: (values) => Uint8ClampedArray.from(values as number[]),
  Int16Array: (values) => Int16Array.from(values as number[]),
  Uint16Array: (values) => Uint16Array.from(values as number[]),
  Int32Array: (values) => Int32Array.from(values as number[]),
  Uint32Array: (values) => Uint32Array.from(values as number[]),
  Float32Array: (values) => Float32Array.from(values as number[]),
  Float64Array: (values) => Float64Array.from(values as number[]),
  BigInt64Array: (values) => BigInt64Array.from(values as bigint[]),
  BigUint64Array: (values) => BigUint64Array.from(values as bigint[]),
  ArrayBuffer: (values) => Uint8Array.from(values as number[]).buffer,
  DataView: (values) => new DataView(Uint8Array.from(values as number[]).buffer),
};

function decodedNumbers(kind: string, values: readonly unknown[]): unknown {
  return (typedArrays[kind] ?? typedArrays['Uint8Array'])?.(values);
}
