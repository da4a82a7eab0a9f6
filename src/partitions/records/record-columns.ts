import type { Batch } from '../stream-element.ts';
import { type Column, decodeColumn, encodeColumn } from './column-codec.ts';
import { commonShape, shapeOf } from './record-shape.ts';

/** Fewer records are not worth it. */
const fewestRecords = 16;

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
  const shape = records.length < fewestRecords ? undefined : commonShape(records);
  if (shape === undefined) return undefined;
  const columns: Column[] = [];
  for (const values of shape.take(records)) {
    const column = encodeColumn(values);
    if (column === undefined) return undefined;
    columns.push(column);
  }
  return joined(text.encode(shape.json), columns);
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
  const { keys, assemble } = shapeOf(json);
  if (columns.length !== keys.length) throw new Error(`it has ${columns.length} of ${keys.length} columns`);
  return assemble(columns, count);
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
