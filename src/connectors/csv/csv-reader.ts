import { MalformedInputError } from '../../errors/connector-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { SourceReader } from '../../operators/source.ts';
import { type CsvFormat, type CsvHead, csvHeadOf } from './csv-head.ts';
import { csvRecords, type CsvDialect, findCsvFault, parseCsvRows } from './csv-rows.ts';
import type { LineBlock, LineFeeder } from '../lines/line-feeder.ts';
import { setOwn } from '../own-property.ts';

type Row = Readonly<Record<string, string>>;

export interface CsvReaderOptions<Out> {
  readonly format: CsvFormat;
  /** The head, if it was read before. Default: this reader reads it. */
  readonly head?: CsvHead | undefined;
  readonly parse: ((row: Row) => Out) | undefined;
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
  /** A column name (`__proto__`) that plain assignment would not turn into an own property. */
  #hasOddName = false;
  /** The rows of the current block. */
  #rows: readonly string[][] = [];
  #at = 0;
  #block: LineBlock = { text: '', bytes: Buffer.alloc(0), offset: 0 };
  /** Records to skip at the start of the block: the head. */
  #skip = 0;

  constructor(lines: LineFeeder, { format, head, parse }: CsvReaderOptions<Out>) {
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
      if (values.length !== columns.length) return this.#malformed(at);
      const row: Record<string, string> = {};
      if (this.#hasOddName) columns.forEach((name, index) => setOwn(row, name, values[index]));
      else for (let index = 0; index < columns.length; index++) row[columns[index] as string] = values[index] as string;
      try {
        records.push(parse === undefined ? (row as Out) : parse(row));
      } catch (error) {
        return this.#malformed(at, error);
      }
    }
    this.#at = end;
    return records;
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
    if (this.#head?.isOpen !== false) {
      const head = csvHeadOf(this.#lines.path, block, this.#lines.lineEnd, this.#format, this.#head);
      if (head === undefined) return [];
      this.#begin(head);
      if (head.isOpen) return [];
    }
    this.#skip = this.#countHead(block);
    const rows = this.#dialect && parseCsvRows(block.text, this.#dialect);
    if (rows === undefined) return this.#malformed(Infinity);
    this.#rows = rows;
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

  /**
   * Throws for the first malformed record up to row `row` of the block, or with `cause` for that row if none is
   * malformed.
   */
  async #malformed(row: number, cause?: unknown): Promise<never> {
    let count = 0;
    const dialect = this.#dialect as CsvDialect;
    for (const { index, record } of csvRecords(this.#block.text, dialect)) {
      const isHead = this.#skip > count;
      const fault = isHead ? undefined : findCsvFault(record, this.#head?.columns ?? [], dialect);
      if (fault !== undefined) return this.#fail(index + fault.index, fault.problem);
      if (count++ === row) return this.#fail(index, toError(cause).message, cause);
    }
    return this.#fail(0, 'not valid CSV');
  }

  async #fail(index: number, problem: string, cause?: unknown): Promise<never> {
    const before = this.#block.text.slice(0, index);
    throw new MalformedInputError(
      {
        file: this.#lines.path,
        line: await this.#lines.lineAt(this.#block.offset + Buffer.byteLength(before)),
        column: index - before.lastIndexOf(this.#lines.lineEnd),
      },
      problem,
      { cause },
    );
  }
}
