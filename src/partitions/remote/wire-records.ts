import { blankList } from '../records/blank-list.ts';
import { unpackRecords } from '../records/plain-codec.ts';
import { commonShape, shapeOf } from '../records/record-shape.ts';
import type { Batch } from '../stream-element.ts';
import { bufferOf, bytesOf, packedColumn, typedColumn, type WireColumn } from './wire-column.ts';
import { HeardTexts, ToldTexts } from './wire-texts.ts';

/** Fewer records are not worth columns. */
const fewestRecords = 16;

/** Texts are remembered for records of this many shapes. */
const mostShapes = 16;

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

/** The buffers to transfer. */
export function buffersOf({ columns }: WireRecords): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const column of columns) {
    const buffer = bufferOf(column);
    if (buffer !== undefined) buffers.push(buffer);
  }
  return buffers;
}

/** About the size of a batch in memory. */
export function wireBytes({ columns }: WireRecords): number {
  return columns.reduce((sum, column) => sum + bytesOf(column), 64);
}

/** By the keys of records as JSON, and the index of the column; records that are their own column have no keys. */
class TextMemories<Memory> {
  readonly #make: () => Memory;
  readonly #byKeys = new Map<string, Memory[]>();

  constructor(make: () => Memory) {
    this.#make = make;
  }

  /** Undefined if there are too many shapes. */
  of(keys: string): ((column: number) => Memory) | undefined {
    const known = this.#byKeys.get(keys);
    if (known === undefined && this.#byKeys.size === mostShapes) return undefined;
    const memories = known ?? [];
    if (known === undefined) this.#byKeys.set(keys, memories);
    return (column) => (memories[column] ??= this.#make());
  }

  forget(keys: string): void {
    this.#byKeys.delete(keys);
  }
}

/** Encodes the batches of one reader, in order. */
export class WireEncoder {
  readonly #told = new TextMemories(() => new ToldTexts());

  /** @throws RecordNotSerializableError for records that are not plain data */
  encode(records: Batch): WireRecords {
    const columns = records.length < fewestRecords ? undefined : this.#columnsIn(records);
    return columns ?? { kind: 'records', count: records.length, keys: undefined, columns: [packedColumn(records, 0)] };
  }

  #columnsIn(records: Batch): WireRecords | undefined {
    const count = records.length;
    const only = typedColumn(records, this.#told.of('')?.(0));
    if (only !== undefined) return { kind: 'records', count, keys: undefined, columns: [only] };
    const shape = commonShape(records);
    if (shape === undefined) return undefined;
    const told = this.#told.of(shape.json);
    const columns: WireColumn[] = [];
    for (const values of shape.take(records)) {
      const column = typedColumn(values, told?.(columns.length)) ?? packedIfPlain(values);
      if (column === undefined) {
        this.#told.forget(shape.json);
        return undefined;
      }
      columns.push(column);
    }
    return { kind: 'records', count, keys: shape.json, columns };
  }
}

function packedIfPlain(values: readonly unknown[]): WireColumn | undefined {
  try {
    return packedColumn(values, 1);
  } catch {
    // The records as a whole tell where the fault is.
    return undefined;
  }
}

/** Decodes what one encoder has encoded, in the same order. */
export class WireDecoder {
  readonly #heard = new TextMemories(() => new HeardTexts());

  /** New records, in an array that nobody else holds. @throws Error that says what is wrong with the columns */
  decode({ count, keys, columns }: WireRecords): unknown[] {
    const values = columns.map((column, index) => this.#valuesOf(column, keys, index));
    for (const { length } of values) if (length !== count) throw new Error(`a column has ${length} of ${count} values`);
    if (keys === undefined) return listOf(values[0] ?? []);
    const shape = shapeOf(keys);
    if (columns.length !== shape.keys.length) {
      throw new Error(`it has ${columns.length} of ${shape.keys.length} columns`);
    }
    return shape.assemble(values, count);
  }

  #valuesOf(column: WireColumn, keys = '', index: number): ArrayLike<unknown> {
    switch (column.kind) {
      case 'packed':
        return unpackRecords(column);
      case 'told texts':
        return this.#heard.of(keys)?.(index).decode(column) ?? [];
      case 'booleans':
        return booleansOf(column.values);
      default:
        return column.values;
    }
  }
}

function booleansOf(bits: Uint8Array): boolean[] {
  const values: boolean[] = [];
  for (let index = 0; index < bits.length; index++) values.push(bits[index] === 1);
  return values;
}

function listOf(values: ArrayLike<unknown>): unknown[] {
  if (Array.isArray(values)) return values;
  const list = blankList(values.length);
  for (let index = 0; index < values.length; index++) list[index] = values[index];
  return list;
}
