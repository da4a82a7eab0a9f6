import { UnrecoverableError } from '../../errors/job-errors.ts';
import { cutToFit, inQuotes, show } from '../../foreign-value.ts';
import { isThenable, swallowRejection } from '../../user-code.ts';
import { type ColumnType, nothing, type StoredValue, typeOf } from './column-type.ts';
import { jsonFault } from './json-column.ts';

/** A column of the buffered rows. */
export interface BufferedColumn {
  readonly name: string;
  /** Undefined until a row has a value. */
  type: ColumnType | undefined;
  values: (StoredValue | null)[];
}

/**
 * Buffers the rows of the next row group, column by column. Unless the columns are given, the rows of the first group
 * determine their names and types, which are fixed afterwards.
 */
export class RowGroupBuffer {
  readonly #file: string;
  readonly #isGiven: boolean;
  readonly #columnByName: Map<string, BufferedColumn>;
  #isFixed: boolean;
  /** Number of rows in earlier groups. */
  #rowStart = 0;
  #rows = 0;
  #bytes = 0;

  constructor(file: string, given: ReadonlyMap<string, ColumnType> | undefined) {
    this.#file = file;
    this.#isGiven = given !== undefined;
    this.#isFixed = this.#isGiven;
    this.#columnByName = new Map();
    for (const [name, type] of given ?? []) this.#columnByName.set(name, { name, type, values: [] });
  }

  get rows(): number {
    return this.#rows;
  }

  /** Approximate size of the buffered rows. */
  get bytes(): number {
    return this.#bytes;
  }

  get columns(): readonly BufferedColumn[] {
    return [...this.#columnByName.values()];
  }

  /** @throws UnrecoverableError with row and column, if a value cannot be written */
  add(record: unknown): void {
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw this.#refuse(`expected an object, got ${show(record)}`);
    }
    if (!this.#isGiven) this.#learnColumns(record);
    for (const column of this.#columnByName.values()) {
      column.values.push(this.#stored(column, ownProperty(record, column.name)));
    }
    this.#rows++;
  }

  /**
   * Empties the buffer after its rows were written, and fixes the columns of the file.
   * @throws UnrecoverableError if no row had a property, because a file without columns has no rows
   */
  clear(): void {
    if (this.#columnByName.size === 0) {
      throw new UnrecoverableError(
        `${this.#file}, row 1: expected at least one property: ${this.#rows} rows without properties would be lost. Set \`columns\`, or map to plain objects before the sink`,
      );
    }
    for (const column of this.#columnByName.values()) {
      column.type ??= nothing;
      column.values = [];
    }
    this.#isFixed = true;
    this.#rowStart += this.#rows;
    this.#rows = 0;
    this.#bytes = 0;
  }

  #learnColumns(record: object): void {
    for (const name of Object.keys(record)) {
      if (this.#columnByName.has(name)) continue;
      if (this.#isFixed) {
        throw this.#refuse(`column ${inQuotes(name)} did not occur in the first row group. Set \`columns\``);
      }
      const values = Array.from({ length: this.#rows }, () => null);
      this.#columnByName.set(name, { name, type: undefined, values });
    }
  }

  #stored(column: BufferedColumn, value: unknown): StoredValue | null {
    if (value === null || value === undefined) return null;
    column.type ??= typeOf(value);
    const stored = column.type?.store(value);
    if (stored === undefined) throw this.#refuseValue(column, value);
    this.#bytes += typeof stored === 'string' || typeof stored === 'object' ? stored.length : 8;
    return stored;
  }

  #refuseValue({ name, type }: BufferedColumn, value: unknown): Error {
    if (isThenable(value)) swallowRejection(value);
    const fault = typeof value === 'object' ? jsonFault(value) : undefined;
    const detail = fault === undefined ? '' : ` (${cutToFit(fault.replace(/^ /, 'it '), 120)})`;
    const remedy = this.#isGiven ? 'Convert it before the sink' : 'Set `columns`, or convert it before the sink';
    return this.#refuse(
      `column ${inQuotes(name)}: expected ${type?.takes ?? 'data'}, got ${show(value)}${detail}. ${remedy}`,
    );
  }

  #refuse(problem: string): UnrecoverableError {
    return new UnrecoverableError(`${this.#file}, row ${this.#rowStart + this.#rows + 1}: ${problem}`);
  }
}

function ownProperty(record: object, name: string): unknown {
  return Object.hasOwn(record, name) ? (record as Record<string, unknown>)[name] : undefined;
}
