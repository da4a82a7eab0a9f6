import { commonShape, shapeOf } from '../records/record-shape.ts';
import type { Batch } from '../stream-element.ts';
import { bufferOf, bytesOf, mapped, packedColumn, typedColumn, valuesIn, type WireColumn } from './wire-column.ts';

/** Fewer records are not worth columns. */
const fewestRecords = 16;

/**
 * A batch on its way to another executor: one column if all records are numbers, strings or booleans; a column by key
 * if all are plain objects with the same keys; otherwise packed. The form is chosen by batch.
 */
export interface WireRecords {
  readonly kind: 'records';
  readonly count: number;
  /** The keys of the records as JSON; undefined if the only column is the records themselves. */
  readonly keys: string | undefined;
  readonly columns: readonly WireColumn[];
}

/** @throws RecordNotSerializableError for records that are not plain data */
export function toWire(records: Batch): WireRecords {
  const columns = records.length < fewestRecords ? undefined : columnsIn(records);
  return columns ?? { kind: 'records', count: records.length, keys: undefined, columns: [packedColumn(records, 0)] };
}

function columnsIn(records: Batch): WireRecords | undefined {
  const count = records.length;
  const only = typedColumn(records);
  if (only !== undefined) return { kind: 'records', count, keys: undefined, columns: [only] };
  const shape = commonShape(records);
  if (shape === undefined) return undefined;
  const columns: WireColumn[] = [];
  for (const values of shape.take(records)) {
    const column = typedColumn(values) ?? packedIfPlain(values);
    if (column === undefined) return undefined;
    columns.push(column);
  }
  return { kind: 'records', count, keys: shape.json, columns };
}

function packedIfPlain(values: readonly unknown[]): WireColumn | undefined {
  try {
    return packedColumn(values, 1);
  } catch {
    // The records as a whole tell where the fault is.
    return undefined;
  }
}

/** New records, in an array that nobody else holds. @throws Error that says what is wrong with the columns */
export function fromWire({ count, keys, columns }: WireRecords): unknown[] {
  const [only] = columns;
  if (keys === undefined && only !== undefined) {
    const values = valuesIn(only, count);
    return Array.isArray(values) ? values : mapped(values as ArrayLike<number>, (number) => number);
  }
  const shape = shapeOf(keys ?? '[]');
  if (columns.length !== shape.keys.length) {
    throw new Error(`it has ${columns.length} of ${shape.keys.length} columns`);
  }
  return shape.assemble(
    columns.map((column) => valuesIn(column, count)),
    count,
  );
}

/** The buffers to transfer. */
export function buffersOf({ columns }: WireRecords): ArrayBuffer[] {
  return columns.flatMap((column) => bufferOf(column) ?? []);
}

/** About the size of a batch in memory. */
export function wireBytes({ columns }: WireRecords): number {
  return columns.reduce((sum, column) => sum + bytesOf(column), 64);
}
