import { packRecords, type PackedRecords } from '../records/plain-codec.ts';
import type { ToldTexts, WireTexts } from './wire-texts.ts';

/** Values of one kind on their way to another executor, in a form that a port carries exactly. */
export type WireColumn =
  | { readonly kind: 'numbers'; readonly values: Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> }
  | { readonly kind: 'texts'; readonly values: readonly string[] }
  | WireTexts
  | { readonly kind: 'booleans'; readonly values: Uint8Array<ArrayBuffer> }
  /** In a buffer of their own. */
  | (PackedRecords & { readonly kind: 'packed'; readonly bytes: Uint8Array<ArrayBuffer> });

/**
 * The values as a typed column; undefined if they are not all numbers, all strings or all booleans.
 * @param told the texts of this column that the other side has heard; undefined if it remembers none
 */
export function typedColumn(values: readonly unknown[], told: ToldTexts | undefined): WireColumn | undefined {
  switch (typeof values[0]) {
    case 'number':
      return numbersIn(values);
    case 'string':
      return told?.encode(values) ?? textsIn(values);
    case 'boolean':
      return booleansIn(values);
    default:
      return undefined;
  }
}

/**
 * @param depth in how many records the values are
 * @throws RecordNotSerializableError for values that are not plain data
 */
export function packedColumn(values: readonly unknown[], depth: number): WireColumn {
  const { bytes, isEscaped } = packRecords(values, depth);
  // The packer goes on to use the buffer that they are in.
  const own = new Uint8Array(bytes.length);
  own.set(bytes);
  return { kind: 'packed', bytes: own, isEscaped };
}

/** The buffer to transfer; undefined for strings, which are copied. */
export function bufferOf(column: WireColumn): ArrayBuffer | undefined {
  switch (column.kind) {
    case 'texts':
      return undefined;
    case 'packed':
      return column.bytes.buffer;
    default:
      return column.values.buffer;
  }
}

/** Number of strings that are looked at to estimate the size of a column. */
const samples = 8;

/** About the size of a column in memory. */
export function bytesOf(column: WireColumn): number {
  const buffered = bufferOf(column)?.byteLength ?? 0;
  if (column.kind === 'texts') return bytesOfTexts(column.values);
  return column.kind === 'told texts' ? buffered + bytesOfTexts(column.fresh) : buffered;
}

function bytesOfTexts(texts: readonly string[]): number {
  const step = Math.max(1, Math.floor(texts.length / samples));
  let [looks, length] = [0, 0];
  for (let index = 0; index < texts.length; index += step) {
    length += (texts[index] as string).length;
    looks++;
  }
  return texts.length * (24 + length / Math.max(1, looks));
}

function numbersIn(values: readonly unknown[]): WireColumn | undefined {
  const integers = new Int32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number') return undefined;
    // −0 is no integer.
    if ((value | 0) !== value || (value === 0 && 1 / value < 0)) return doublesIn(values);
    integers[index] = value;
  }
  return { kind: 'numbers', values: integers };
}

function doublesIn(values: readonly unknown[]): WireColumn | undefined {
  const doubles = new Float64Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number') return undefined;
    doubles[index] = value;
  }
  return { kind: 'numbers', values: doubles };
}

function textsIn(values: readonly unknown[]): WireColumn | undefined {
  for (const value of values) if (typeof value !== 'string') return undefined;
  return { kind: 'texts', values: values as readonly string[] };
}

function booleansIn(values: readonly unknown[]): WireColumn | undefined {
  const bits = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'boolean') return undefined;
    bits[index] = value ? 1 : 0;
  }
  return { kind: 'booleans', values: bits };
}
