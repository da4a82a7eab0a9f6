import { areUsual, isWellFormed } from './plain-data.ts';
import { recordPackr } from './record-packr.ts';

/**
 * The kinds of columns.
 * - `integers8`, `integers16`, `integers32`: integers of that many bits, of two's complement.
 * - `doubles`: any numbers.
 * - `texts8`, `texts16`: the distinct texts, and for each record the number of its text.
 * - `values`: anything else.
 */
const kinds = {
  integers8: 0,
  integers16: 1,
  integers32: 2,
  doubles: 3,
  texts8: 4,
  texts16: 5,
  values: 6,
} as const;

/** The property that many records have in common, as bytes. */
export interface Column {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** Of texts that are rarely the same, a list of the distinct ones saves nothing. This many are looked at first. */
const firstTexts = 64;

/** Encodes the values of a property; undefined if only an exact format preserves them, or none. */
export function encodeColumn(values: readonly unknown[]): Column | undefined {
  switch (typeof values[0]) {
    case 'number':
      return numbersIn(values) ?? valuesIn(values);
    case 'string':
      return textsIn(values) ?? valuesIn(values);
    default:
      return valuesIn(values);
  }
}

/** The `count` values of a column. @throws Error that says what is wrong with the bytes */
export function decodeColumn({ kind, bytes }: Column, count: number): unknown[] {
  switch (kind) {
    case kinds.values: {
      const values = unpackList(bytes);
      if (values.length !== count) throw new Error(`a column has ${values.length} of ${count} values`);
      return values;
    }
    case kinds.texts8:
    case kinds.texts16:
      return readTexts(bytes, kind === kinds.texts8 ? 1 : 2, count);
    case kinds.integers8:
    case kinds.integers16:
    case kinds.integers32:
    case kinds.doubles:
      return readNumbers(bytes, kind, count);
    default:
      throw new Error(`the kind ${kind} of a column is unknown to this version`);
  }
}

function numbersIn(values: readonly unknown[]): Column | undefined {
  let areIntegers = true;
  let [least, most] = [0, 0];
  for (const value of values) {
    if (typeof value !== 'number') return undefined;
    // −0 is none.
    if (!Object.is(value | 0, value)) areIntegers = false;
    else if (value < least) least = value;
    else if (value > most) most = value;
  }
  if (!areIntegers) return columnOf(values as readonly number[], kinds.doubles);
  const reach = Math.max(most, -1 - least);
  const kind = reach < 2 ** 7 ? kinds.integers8 : reach < 2 ** 15 ? kinds.integers16 : kinds.integers32;
  return columnOf(values as readonly number[], kind);
}

type NumberKind = (typeof kinds)['integers8' | 'integers16' | 'integers32' | 'doubles'];

const numberBytes: Readonly<Record<NumberKind, number>> = {
  [kinds.integers8]: 1,
  [kinds.integers16]: 2,
  [kinds.integers32]: 4,
  [kinds.doubles]: 8,
};

function columnOf(values: readonly number[], kind: NumberKind): Column {
  const bytes = new Uint8Array(values.length * numberBytes[kind]);
  const view = new DataView(bytes.buffer);
  let index = 0;
  switch (kind) {
    case kinds.integers8:
      for (const value of values) view.setInt8(index++, value);
      break;
    case kinds.integers16:
      for (const value of values) view.setInt16(index++ * 2, value, true);
      break;
    case kinds.integers32:
      for (const value of values) view.setInt32(index++ * 4, value, true);
      break;
    case kinds.doubles:
      for (const value of values) view.setFloat64(index++ * 8, value, true);
      break;
  }
  return { kind, bytes };
}

function readNumbers(bytes: Uint8Array, kind: NumberKind, count: number): number[] {
  if (bytes.length !== count * numberBytes[kind]) {
    throw new Error(`a column has ${bytes.length} of ${count * numberBytes[kind]} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: number[] = [];
  switch (kind) {
    case kinds.integers8:
      for (let index = 0; index < count; index++) values.push(view.getInt8(index));
      break;
    case kinds.integers16:
      for (let index = 0; index < count; index++) values.push(view.getInt16(index * 2, true));
      break;
    case kinds.integers32:
      for (let index = 0; index < count; index++) values.push(view.getInt32(index * 4, true));
      break;
    case kinds.doubles:
      for (let index = 0; index < count; index++) values.push(view.getFloat64(index * 8, true));
      break;
  }
  return values;
}

/** Texts of which half or more occurred before; undefined for others. */
function textsIn(values: readonly unknown[]): Column | undefined {
  const numbers = new Uint16Array(values.length);
  const numberByText = new Map<string, number>();
  let index = 0;
  for (const value of values) {
    if (typeof value !== 'string') return undefined;
    let number = numberByText.get(value);
    if (number === undefined) {
      number = numberByText.size;
      if (number * 2 > Math.max(index, firstTexts) || number === 2 ** 16 || !isWellFormed(value)) return undefined;
      numberByText.set(value, number);
    }
    numbers[index++] = number;
  }
  const texts = recordPackr().pack([...numberByText.keys()]);
  const width = numberByText.size <= 2 ** 8 ? 1 : 2;
  const bytes = new Uint8Array(values.length * width + texts.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const number of numbers) {
    if (width === 1) bytes[at] = number;
    else view.setUint16(at, number, true);
    at += width;
  }
  bytes.set(texts, at);
  return { kind: width === 1 ? kinds.texts8 : kinds.texts16, bytes };
}

function readTexts(bytes: Uint8Array, width: 1 | 2, count: number): unknown[] {
  const texts = unpackList(bytes.subarray(count * width));
  const values: unknown[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * width;
    values.push(texts[width === 1 ? (bytes[at] as number) : (bytes[at] as number) | ((bytes[at + 1] as number) << 8)]);
  }
  return values;
}

function valuesIn(values: readonly unknown[]): Column | undefined {
  try {
    // They are properties of records.
    return areUsual(values, 1) ? { kind: kinds.values, bytes: recordPackr().pack(values) } : undefined;
  } catch {
    // The records as a whole tell where the fault is.
    return undefined;
  }
}

function unpackList(bytes: Uint8Array): unknown[] {
  const list: unknown = recordPackr().unpack(bytes);
  if (!Array.isArray(list)) throw new Error('a column holds no list');
  return list;
}
