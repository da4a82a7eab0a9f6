import { freezeRecords } from '../records/freeze-records.ts';
import { type RecordShape, shapeOf } from '../records/record-shape.ts';
import type { Batch } from '../stream-element.ts';
import { isPrimitive, type PartKind, type PartLoop, type Parts, partLoop } from './part-loop.ts';

/** Fewer records are not worth it, and records of more properties are rare. */
const [fewestRecords, mostKeys] = [16, 64];

/** Records by property, without an object for each. */
export class RecordParts {
  readonly #shape: RecordShape;
  readonly #parts: Parts;
  readonly #count: number;
  readonly #freeze: boolean;

  constructor(shape: RecordShape, parts: Parts, count: number, freeze: boolean) {
    this.#shape = shape;
    this.#parts = parts;
    this.#count = count;
    this.#freeze = freeze;
  }

  /** Makes the records again, frozen if the written ones were. */
  assemble(): Batch {
    const columns = this.#parts.map((values) => (values.length === 1 ? repeated(values[0], this.#count) : values));
    const records = this.#shape.assemble(columns, this.#count);
    if (this.#freeze) {
      freezeRecords(records);
      Object.freeze(records);
    }
    return records;
  }
}

/**
 * Takes the batches of one result apart: plain objects with equal keys whose values are all primitive, because an object
 * in a record has an identity. Ignored, as in a file: keys that are symbols or not enumerable, unless the first record of a
 * batch has one; then the batch is left as it is.
 */
export class RecordDivider {
  readonly #freeze: boolean;
  #shape: RecordShape | undefined;
  /** By property: the kind of the values. */
  #kinds: readonly PartKind[] = [];
  #loop: PartLoop | undefined;

  /** @param freeze whether the records are frozen */
  constructor(freeze: boolean) {
    this.#freeze = freeze;
  }

  /** Undefined for records that are left as they are. */
  parts(records: Batch): RecordParts | undefined {
    if (records.length < fewestRecords) return undefined;
    try {
      const [first] = records;
      return isFlat(first) ? this.#partsOf(records, first) : undefined;
    } catch {
      // A getter or proxy that throws: its consumer gets the error when it reads the record.
      return undefined;
    }
  }

  #partsOf(records: Batch, first: object): RecordParts | undefined {
    const keys = Object.keys(first);
    if (keys.length === 0 || keys.length > mostKeys || keys.includes('__proto__')) return undefined;
    const shape = shapeOf(JSON.stringify(keys));
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#expect(Object.values(first).map((value) => (typeof value === 'number' ? 'integers' : 'one')));
    }
    for (;;) {
      const parts = this.#loop?.(records);
      if (typeof parts !== 'number') return parts && new RecordParts(shape, parts, records.length, this.#freeze);
      const kind = this.#kinds[parts];
      if (kind === 'list') return undefined;
      this.#expect(this.#kinds.with(parts, kind === 'integers' ? 'doubles' : 'list'));
    }
  }

  #expect(kinds: readonly PartKind[]): void {
    this.#kinds = kinds;
    this.#loop = partLoop((this.#shape as RecordShape).keys, kinds);
  }
}

function repeated(value: unknown, count: number): unknown[] {
  const values: unknown[] = [];
  values.length = count;
  return values.fill(value);
}

/** Whether a record has only properties that everybody sees, with primitive values. */
function isFlat(record: unknown): record is object {
  if (typeof record !== 'object' || record === null) return false;
  return Reflect.ownKeys(record).every((key) => {
    const property = Object.getOwnPropertyDescriptor(record, key);
    return (
      typeof key === 'string' && property?.enumerable === true && 'value' in property && isPrimitive(property.value)
    );
  });
}
