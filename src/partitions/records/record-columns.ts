import type { Batch } from '../stream-element.ts';
import { type Column, decodeColumn, encodeColumn } from './column-codec.ts';
import { isWellFormed } from './plain-data.ts';

/** Fewer records are not worth it, nor are properties beyond this number. */
const fewestRecords = 16;
const mostKeys = 128;

/** Bytes before a column: its kind, and its length (32 bits, little endian). */
const columnHeadBytes = 5;
/** Bytes before the keys: their length. */
const keysHeadBytes = 4;

const [text, fromText] = [new TextEncoder(), new TextDecoder()];

/**
 * Encodes plain objects with equal keys, property by property: that takes half as long as record by record, and reading
 * it back a quarter. The keys, as JSON, and then the columns, each after its length.
 *
 * Undefined for other records, and for those that only an exact format preserves.
 */
export function encodeColumns(records: Batch): Uint8Array | undefined {
  const keys = records.length < fewestRecords ? undefined : commonKeys(records);
  if (keys === undefined) return undefined;
  const columns: Column[] = [];
  const values: unknown[] = [];
  for (const key of keys) {
    // Read once, because a getter may answer something else the next time.
    for (let index = 0; index < records.length; index++) {
      values[index] = (records[index] as Readonly<Record<string, unknown>>)[key];
    }
    const column = encodeColumn(values);
    if (column === undefined) return undefined;
    columns.push(column);
  }
  return joined(text.encode(JSON.stringify(keys)), columns);
}

/** The `count` records that {@link encodeColumns} encoded. @throws Error that says what is wrong with the bytes */
export function decodeColumns(bytes: Uint8Array, count: number): unknown[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = keysHeadBytes + view.getUint32(0, true);
  const json = fromText.decode(bytes.subarray(keysHeadBytes, at));
  const columns: unknown[][] = [];
  while (at < bytes.length) {
    const end = at + columnHeadBytes + view.getUint32(at + 1, true);
    columns.push(decodeColumn({ kind: bytes[at] as number, bytes: bytes.subarray(at + columnHeadBytes, end) }, count));
    at = end;
  }
  const { width, assemble } = assemblyOf(json);
  if (columns.length !== width) throw new Error(`it has ${columns.length} of ${width} columns`);
  return assemble(columns, count);
}

/** The keys that all records have, in this order; undefined unless all of them are plain objects with just these. */
function commonKeys(records: Batch): readonly string[] | undefined {
  const [first] = records;
  if (!isPlainObject(first)) return undefined;
  const keys = Object.keys(first);
  const areUsual = keys.every((key) => key !== '__proto__' && isWellFormed(key));
  if (keys.length === 0 || keys.length > mostKeys || !areUsual) return undefined;
  for (const record of records) {
    if (!isPlainObject(record)) return undefined;
    let at = 0;
    for (const key in record) if (key !== keys[at++]) return undefined;
    if (at !== keys.length) return undefined;
  }
  return keys;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function joined(keys: Uint8Array, columns: readonly Column[]): Uint8Array {
  let length = keysHeadBytes + keys.length;
  for (const { bytes } of columns) length += columnHeadBytes + bytes.length;
  const joint = new Uint8Array(length);
  const view = new DataView(joint.buffer);
  view.setUint32(0, keys.length, true);
  joint.set(keys, keysHeadBytes);
  let at = keysHeadBytes + keys.length;
  for (const { kind, bytes } of columns) {
    joint[at] = kind;
    view.setUint32(at + 1, bytes.length, true);
    joint.set(bytes, at + columnHeadBytes);
    at += columnHeadBytes + bytes.length;
  }
  return joint;
}

type Assemble = (columns: readonly (readonly unknown[])[], count: number) => unknown[];

/** Makes records of so many columns. */
interface Assembly {
  readonly width: number;
  readonly assemble: Assemble;
}

/** By the keys, as JSON. A job has few kinds of records; the oldest go. */
const assemblies = new Map<string, Assembly>();
const mostAssemblies = 64;

function assemblyOf(json: string): Assembly {
  const known = assemblies.get(json);
  if (known !== undefined) return known;
  const keys = JSON.parse(json) as string[];
  const assembly = { width: keys.length, assemble: compiled(keys) };
  const [oldest] = assemblies.keys();
  if (oldest !== undefined && assemblies.size === mostAssemblies) assemblies.delete(oldest);
  assemblies.set(json, assembly);
  return assembly;
}

/** A loop with the keys as literals, for which V8 knows the shape of the records from the start. */
function compiled(keys: readonly string[]): Assemble {
  const properties = keys.map((key, index) => `${JSON.stringify(key)}: column${index}[i]`).join(', ');
  const code = `"use strict";
    const [${keys.map((_, index) => `column${index}`).join(', ')}] = columns;
    const records = [];
    for (let i = 0; i < count; i++) records.push({ ${properties} });
    return records;`;
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the only foreign text in it is string literals
    return new Function('columns', 'count', code) as Assemble;
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return (columns, count) => assembled(keys, columns, count);
  }
}

/** Where code generation from strings is forbidden. */
function assembled(keys: readonly string[], columns: readonly (readonly unknown[])[], count: number): unknown[] {
  return Array.from({ length: count }, (_, index) => {
    const record: Record<string, unknown> = {};
    for (const [at, key] of keys.entries()) record[key] = columns[at]?.[index];
    return record;
  });
}
