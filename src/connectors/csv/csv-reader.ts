import { MalformedInputError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { SourceReader } from '../../operators/source.ts';
import { type CsvFormat, type CsvHead, csvHeadOf } from './csv-head.ts';
import type { RejectedRows } from '../rejecting-rows.ts';
import {
  csvRecords,
  type CsvDialect,
  type CsvFault,
  type CsvParser,
  type CsvRecord,
  findCsvFault,
  loadCsvParser,
  parseCsvRows,
} from './csv-rows.ts';
import type { LineBlock, LineFeeder } from '../lines/line-feeder.ts';
import { setOwn } from '../own-property.ts';

type Row = Readonly<Record<string, string>>;

export interface CsvReaderOptions<Out> {
  readonly format: CsvFormat;
  /** The head, if it was read before. Default: this reader reads it. */
  readonly head?: CsvHead | undefined;
  readonly parse: ((row: Row) => Out) | undefined;
  /** Decides about records of which no row can be made; undefined: reading fails. */
  readonly rejected?: RejectedRows | undefined;
}

/** The indexes where the rows of a block begin, without its head. */
export function* csvRowsIn(block: LineBlock, head: CsvHead, newlinesInValues: boolean): Generator<number> {
  for (const { index } of csvRecords(block.text, { ...head, newlinesInValues })) {
    const isHead =
      block.offset <= head.lastByte && block.offset + Buffer.byteLength(block.text.slice(0, index)) <= head.lastByte;
    if (!isHead) yield index;
  }
}

/** Parses CSV records into rows. */
export class CsvReader<Out> implements SourceReader<Out> {
  readonly #lines: LineFeeder;
  readonly #format: CsvFormat;
  readonly #parse: ((row: Row) => Out) | undefined;
  #head: CsvHead | undefined;
  #dialect: CsvDialect | undefined;
  /** Loaded before the first block is parsed. */
  #parser: CsvParser | undefined;
  /** A column name (`__proto__`) that plain assignment would not turn into an own property. */
  #hasOddName = false;
  readonly #rejected: RejectedRows | undefined;
  /** The rows of the current block. */
  #rows: readonly (readonly string[])[] = [];
  #at = 0;
  #block: LineBlock = { text: '', bytes: Buffer.alloc(0), offset: 0 };
  /** The texts of the rows, once one is rejected. */
  #records: readonly CsvRecord[] | undefined;
  /** Records to skip at the start of the block: the head. */
  #skip = 0;

  constructor(lines: LineFeeder, { format, head, parse, rejected }: CsvReaderOptions<Out>) {
    this.#rejected = rejected;
    this.#lines = lines;
    this.#format = format;
    this.#parse = parse;
    if (head !== undefined) this.#begin(head);
  }

  read(maxRecords: number): readonly Out[] | Promise<readonly Out[] | null> {
    const rows = this.#rows;
    const columns = this.#head?.columns ?? [];
    const parse = this.#parse;
    const end = Math.min(rows.length, this.#at + maxRecords);
    if (this.#at >= end) return this.#readOn(maxRecords);
    const records: Out[] = [];
    for (let at = this.#at; at < end; at++) {
      const values = rows[at] ?? [];
      if (values.length !== columns.length) return this.#reject(at, records);
      const row: Record<string, string> = {};
      if (this.#hasOddName) columns.forEach((name, index) => setOwn(row, name, values[index]));
      else for (let index = 0; index < columns.length; index++) row[columns[index] as string] = values[index] as string;
      try {
        records.push(parse === undefined ? (row as Out) : parse(row));
      } catch (error) {
        return this.#reject(at, records, error);
      }
    }
    this.#at = end;
    return records;
  }

  /** Records that it has left out. */
  get leftOut(): number {
    return this.#rejected?.leftOut ?? 0;
  }

  /** Byte offset of the current block in the input. */
  get blockStart(): number {
    return this.#block.offset;
  }

  close(): Promise<void> {
    return this.#lines.close();
  }

  async #readOn(maxRecords: number): Promise<readonly Out[] | null> {
    const block = await this.#lines.next();
    if (block === null) return null;
    this.#block = block;
    const parser = (this.#parser ??= await loadCsvParser());
    this.#records = undefined;
    if (this.#head?.isOpen !== false) {
      const head = csvHeadOf(this.#lines.path, block, this.#lines.lineEnd, this.#format, this.#head, parser);
      if (head === undefined) return [];
      this.#begin(head);
      if (head.isOpen) return [];
    }
    this.#skip = this.#countHead(block);
    const dialect = this.#dialect as CsvDialect;
    const rows = parseCsvRows(block.text, dialect, parser);
    if (rows === undefined && this.#rejected === undefined) return this.#malformed(Infinity);
    this.#rows = rows ?? rowsOneByOne(block, dialect, parser);
    this.#at = this.#skip;
    return this.read(maxRecords);
  }

  #begin(head: CsvHead): void {
    const { delimiter, lineEnd, columns } = head;
    this.#head = head;
    this.#dialect = { delimiter, lineEnd, newlinesInValues: this.#format.newlinesInValues };
    this.#hasOddName = columns.includes('__proto__');
  }

  #countHead({ text, offset }: LineBlock): number {
    const { lastByte = -1 } = this.#head ?? {};
    if (offset > lastByte) return 0;
    let count = 0;
    for (const { index } of csvRecords(text, this.#dialect as CsvDialect)) {
      if (offset + Buffer.byteLength(text.slice(0, index)) > lastByte) break;
      count++;
    }
    return count;
  }

  /** Row `at` cannot be a record. The rows before it come first; then it is alone. */
  #reject(at: number, before: readonly Out[], cause?: unknown): readonly Out[] | Promise<readonly Out[]> {
    const rejected = this.#rejected;
    if (rejected === undefined) return this.#malformed(at, cause);
    this.#at = at;
    return before.length > 0 ? before : this.#rejectRow(rejected, cause);
  }

  async #rejectRow(rejected: RejectedRows, cause: unknown): Promise<readonly Out[]> {
    const dialect = this.#dialect as CsvDialect;
    this.#records ??= [...csvRecords(this.#block.text, dialect)];
    const { index, record } = this.#records[this.#at] as CsvRecord;
    const fault = this.#faultIn(record);
    const error = await this.#faultAt(index + (fault?.index ?? 0), fault?.problem ?? toError(cause).message, cause);
    // The fault may lie in a later line of a quoted value.
    const records = rejected.reject<Out>(error, record, `${error.file}:${await this.#lineOf(index)}`);
    this.#at++;
    return records;
  }

  /**
   * Throws for the first malformed record up to row `row` of the block, or with `cause` for that row if none is
   * malformed.
   */
  async #malformed(row: number, cause?: unknown): Promise<never> {
    let count = 0;
    const dialect = this.#dialect as CsvDialect;
    for (const { index, record } of csvRecords(this.#block.text, dialect)) {
      const isHead = this.#skip > count;
      const fault = isHead ? undefined : this.#faultIn(record);
      if (fault !== undefined) return this.#fail(index + fault.index, fault.problem);
      if (count++ === row) return this.#fail(index, toError(cause).message, cause);
    }
    return this.#fail(0, 'not valid CSV');
  }

  #faultIn(record: string): CsvFault | undefined {
    return findCsvFault(record, this.#head?.columns ?? [], this.#dialect as CsvDialect, this.#parser as CsvParser);
  }

  async #fail(index: number, problem: string, cause?: unknown): Promise<never> {
    throw await this.#faultAt(index, problem, cause);
  }

  /** The line in which the character at `index` of the block lies. */
  #lineOf(index: number): Promise<number> {
    return this.#lines.lineAt(this.#block.offset + Buffer.byteLength(this.#block.text.slice(0, index)));
  }

  async #faultAt(index: number, problem: string, cause: unknown): Promise<MalformedInputError> {
    const before = this.#block.text.slice(0, index);
    return new MalformedInputError(
      {
        file: this.#lines.path,
        line: await this.#lineOf(index),
        column: index - before.lastIndexOf(this.#lines.lineEnd),
      },
      problem,
      { cause },
    );
  }
}

/** The rows of a block with malformed records: those have no values, like no row of a file with columns. */
function rowsOneByOne({ text }: LineBlock, dialect: CsvDialect, parser: CsvParser): readonly (readonly string[])[] {
  return [...csvRecords(text, dialect)].map(({ record }) => parseCsvRows(record, dialect, parser)?.[0] ?? []);
}
